import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exampleSandboxRequest } from "#domain/container/request-example.ts";
import { exampleSandbox } from "#domain/pod/entity-examples.ts";
import { FakeNetwork } from "#drivers/cni/fake.ts";
import type { SandboxDrivers } from "./sandbox-drivers.ts";
import { checkNetworkRequest, disconnectSandbox } from "./sandbox-network.ts";
import type { SandboxMetadata } from "./request.ts";

const mapping = { protocol: "tcp", containerPort: 80, hostPort: 8080, hostIp: "" } as const;
const metadata: SandboxMetadata = { name: "web", uid: "u", namespace: "n", attempt: 0 };
const slow = { "kubernetes.io/egress-bandwidth": "slow" };

describe("what the network of a pod is asked for", () => {
  it("is refused with a name that cannot be in CNI_ARGS", () => {
    for (const change of [{ name: "a;b" }, { namespace: "a=b" }, { uid: "IP=1;" }])
      assert.throws(() => checkNetworkRequest(exampleSandboxRequest({ metadata: { ...metadata, ...change } })), {
        kind: "invalid-argument",
        message: /^metadata\.(name|namespace|uid) ".*" contains/,
      });
  });

  it("is refused with a host port on what is no address, which without a host port says nothing", () => {
    const check = (hostIp: string, hostPort = 8080): void =>
      checkNetworkRequest(exampleSandboxRequest({ portMappings: [{ ...mapping, hostPort, hostIp }] }));
    for (const hostIp of ["localhost", "1.2.3", "fe80::1%eth0", "1.2.3.4\n"])
      assert.throws(() => check(hostIp), {
        kind: "invalid-argument",
        message: /^port_mappings: host_ip .* of port 8080/,
      });
    for (const hostIp of ["", "127.0.0.1", "::1"]) check(hostIp);
    check("localhost", 0);
  });

  it("is refused with a bandwidth that is none", () => {
    assert.throws(() => checkNetworkRequest(exampleSandboxRequest({ annotations: slow })), /is no bandwidth/);
  });

  it("does not keep a pod from being disconnected that an earlier daemon had let in", async () => {
    const network = new FakeNetwork();
    const removed: string[] = [];
    const hostPorts = { remove: async (id: string) => void removed.push(id) };
    const request = exampleSandboxRequest({
      metadata: { ...metadata, name: "a;b=c" },
      annotations: slow,
      portMappings: [{ ...mapping, hostIp: "localhost" }],
    });
    const sandbox = exampleSandbox({ request, state: { kind: "creating" } });
    await disconnectSandbox({ network, hostPorts } as unknown as SandboxDrivers, sandbox);
    assert.deepEqual(network.calls, [`tearDown ${sandbox.id}`]);
    assert.deepEqual(removed, [sandbox.id]);
  });
});
