import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { exampleSandboxRequest } from "#domain/container/request-example.ts";
import { FakeNetwork } from "#drivers/cni/fake.ts";
import type { Namespaces } from "#drivers/namespaces/index.ts";
import { silentLogger } from "#observability/logger.ts";
import type { SandboxRequest } from "./request.ts";
import { StandbyNetworks, type StandbyNetwork } from "./standby-networks.ts";

/** Namespaces in memory. */
class Pins implements Namespaces {
  readonly held = new Map<string, Readonly<Record<string, string>>>();

  async pin(id: string, kinds: readonly string[], { sysctls }: { sysctls: Readonly<Record<string, string>> }) {
    this.held.set(id, sysctls);
    return Object.fromEntries(kinds.map((kind) => [kind, `/run/${kind}ns/${id}`]));
  }
  async unpin(id: string): Promise<void> {
    this.held.delete(id);
  }
  async pinned(): Promise<string[]> {
    return [...this.held.keys()];
  }
  async isPinned(): Promise<boolean> {
    return true;
  }
}

function withLinux(changes: Partial<SandboxRequest["linux"]>): SandboxRequest {
  const request = exampleSandboxRequest();
  return { ...request, linux: { ...request.linux, ...changes } };
}

describe("networks that wait for their pods", () => {
  let network: FakeNetwork;
  let namespaces: Pins;
  let standby: StandbyNetworks;

  beforeEach(() => {
    network = new FakeNetwork();
    network.configuration = "a";
    namespaces = new Pins();
    standby = make(1);
  });
  afterEach(() => standby.close());

  function make(count: number): StandbyNetworks {
    const defaultSysctls = { "net.ipv4.ping_group_range": "0 0", "kernel.shmmax": "1" };
    return new StandbyNetworks({ network, namespaces, logger: silentLogger }, { count, defaultSysctls, quietMs: 0 });
  }

  /** Resolves when one more network was connected, or it was tried. */
  async function afterSetUp(): Promise<void> {
    const before = network.calls.length;
    while (network.calls.length === before) await new Promise((resolve) => setImmediate(resolve));
    await standby.settled();
  }

  async function open(): Promise<void> {
    standby.open();
    await afterSetUp();
  }

  function taken(request: SandboxRequest = exampleSandboxRequest()): StandbyNetwork {
    const network = standby.take(request);
    assert.ok(network, "none was ready");
    return network;
  }

  it("are connected when nobody starts a pod, and again once they are given away", async () => {
    await open();
    const first = taken();
    assert.deepEqual(network.attached.get(first.id)?.result.ips, first.ips);
    assert.equal(standby.take(exampleSandboxRequest()), undefined, "there is only one");
    await afterSetUp();
    assert.notEqual(taken().id, first.id);
  });

  it("have the network's default sysctls, and no others", async () => {
    await open();
    assert.deepEqual(namespaces.held.get(taken().id), { "net.ipv4.ping_group_range": "0 0" });
  });

  it("are not given to pods that want something of their network", async () => {
    await open();
    const [map] = [[{ containerId: 0, hostId: 100_000, length: 65_536 }]];
    const { securityContext } = exampleSandboxRequest().linux;
    const inUserNamespace = {
      ...securityContext.namespaceOptions,
      userns: { mode: "pod" as const, uids: map, gids: map },
    };
    const onHost = { ...securityContext.namespaceOptions, network: "node" as const };
    const choosy: SandboxRequest[] = [
      withLinux({ sysctls: { "net/core/somaxconn": "10" } }),
      withLinux({ securityContext: { ...securityContext, namespaceOptions: inUserNamespace } }),
      withLinux({ securityContext: { ...securityContext, namespaceOptions: onHost } }),
      exampleSandboxRequest({ annotations: { "kubernetes.io/ingress-bandwidth": "10M" } }),
      exampleSandboxRequest({ portMappings: [{ protocol: "tcp", containerPort: 80, hostPort: 80, hostIp: "" }] }),
    ];
    for (const request of choosy) assert.equal(standby.take(request), undefined);
    assert.ok(taken(withLinux({ sysctls: { "kernel.shmmax": "10" } })));
  });

  it("are replaced when the network's configuration has changed", async () => {
    await open();
    const [outdated] = network.attached.keys();
    network.configuration = "b";
    assert.equal(standby.take(exampleSandboxRequest()), undefined);
    await afterSetUp();
    assert.equal(taken().configuration, "b");
    assert.ok(outdated !== undefined && !network.attached.has(outdated) && !namespaces.held.has(outdated));
  });

  it("are given back when a pod finds no address, and not made again before others have come", async () => {
    await open();
    const { size } = network.attached;
    assert.deepEqual([size, await standby.giveBack(), network.attached.size], [1, true, 0]);
    assert.deepEqual([...namespaces.held.keys()], []);
    assert.equal(await standby.giveBack(), false);
  });

  it("are given back also when the one with the last address is still being made", async () => {
    const free = Promise.withResolvers<void>();
    network.setUpWaitsFor = free.promise;
    standby.open();
    while (network.calls.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(standby.take(exampleSandboxRequest()), undefined);
    const givenBack = standby.giveBack();
    free.resolve();
    assert.equal(await givenBack, true);
    assert.equal(network.attached.size, 0);
  });

  it("do not exist for a network that asks which pod it serves", async () => {
    network.configuration = undefined;
    standby.open();
    standby.take(exampleSandboxRequest());
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(network.calls, []);
  });

  it("leave nothing when they cannot be connected, and are tried again after the next pod", async () => {
    network.failNext("setUp", new Error("no address left"));
    await open();
    assert.deepEqual([...namespaces.held.keys()], []);
    assert.equal(standby.take(exampleSandboxRequest()), undefined);
    await afterSetUp();
    assert.ok(taken());
  });

  it("are taken away at the end, but for those that are given away", async () => {
    standby = make(2);
    standby.open();
    while (network.attached.size < 2) await afterSetUp();
    const { id } = taken();
    await standby.close();
    assert.deepEqual([...network.attached.keys()], [id]);
    assert.deepEqual([...namespaces.held.keys()], [id]);
  });
});
