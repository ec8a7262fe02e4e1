import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { createNetwork } from "#drivers/cni/cni-network.ts";
import type { Network, PodNetwork } from "#drivers/cni/index.ts";
import { run } from "#kernel/spawn.ts";
import { cniPluginFolder } from "../support/requirements.ts";

// Drives the distribution's own CNI plugins as root; the "host" is a network namespace of the test's own, so that bridges and
// iptables rules never touch the machine's.
const pluginDir = cniPluginFolder() ?? "";
const skip = process.getuid?.() === 0 && pluginDir !== "" ? false : "needs root and CNI plugins";
const bridge = `bt${process.pid % 100_000}`;

async function command(argv: string[]): Promise<string> {
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
  const result = await run(["/usr/bin/env", ...argv], { env, timeoutMs: 30_000 });
  if (result.exitCode !== 0) throw new Error(`${argv.join(" ")}: ${result.stderr.toString()}`);
  return result.stdout.toString();
}

interface Machine extends AsyncDisposable {
  network: Network;
  directory: string;
  inHost(...argv: string[]): Promise<string>;
  inPod(pod: PodNetwork, ...argv: string[]): Promise<string>;
  addPod(name: string, fields?: Partial<PodNetwork>): Promise<PodNetwork>;
}

/** A host namespace with a network of these plugins. */
async function machine(configure: (directory: string) => Record<string, unknown>): Promise<Machine> {
  await using undo = new AsyncDisposableStack();
  const directory = await mkdtemp(path.join(os.tmpdir(), "berth-cni-"));
  undo.defer(() => rm(directory, { recursive: true, force: true }));
  const host = `${bridge}-host`;
  await command(["ip", "netns", "add", host]);
  undo.defer(() => command(["ip", "netns", "delete", host]).then(() => {}));
  const inHost = (...argv: string[]): Promise<string> => command(["ip", "netns", "exec", host, ...argv]);
  await inHost("ip", "link", "set", "lo", "up");
  await mkdir(path.join(directory, "net.d"));
  await writeFile(path.join(directory, "net.d", "10-test.conflist"), JSON.stringify(configure(directory)));
  const network = await createNetwork(
    { networkDir: path.join(directory, "net.d"), pluginDirs: [pluginDir], cacheDir: path.join(directory, "results") },
    { run: (argv, options) => run(["/usr/sbin/ip", "netns", "exec", host, ...argv], options) },
  );
  undo.defer(() => network.close());
  assert.deepEqual(network.status(), { ready: true, reason: "", message: "" });
  const stack = undo.move();
  return {
    network,
    directory,
    inHost,
    inPod: (pod, ...argv) => command(["ip", "netns", "exec", path.basename(pod.netnsPath), ...argv]),
    addPod: async (name, fields = {}) => {
      const namespace = `${bridge}-${name}`;
      await command(["ip", "netns", "add", namespace]);
      stack.defer(() => run(["/usr/sbin/ip", "netns", "delete", namespace]).then(() => {}));
      return podOf(name, `/run/netns/${namespace}`, fields);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function podOf(name: string, netnsPath: string, fields: Partial<PodNetwork>): PodNetwork {
  return {
    sandboxId: name.repeat(64),
    podName: name,
    podNamespace: "default",
    podUid: `uid-${name}`,
    netnsPath,
    annotations: {},
    portMappings: [],
    ...fields,
  };
}

function hostLocal(directory: string, subnets: string[]): Record<string, unknown> {
  const ranges = subnets.map((subnet) => [{ subnet }]);
  const routes = subnets.map((subnet) => ({ dst: subnet.includes(":") ? "::/0" : "0.0.0.0/0" }));
  return { type: "host-local", ranges, routes, dataDir: path.join(directory, "leases") };
}

const bridgeList = (directory: string): Record<string, unknown> => ({
  cniVersion: "1.0.0",
  name: "bridgenet",
  plugins: [
    {
      type: "bridge",
      bridge,
      isGateway: true,
      ipMasq: true,
      ipam: hostLocal(directory, ["10.251.7.0/24", "fd00:251:7::/64"]),
    },
    { type: "portmap", capabilities: { portMappings: true } },
    { type: "bandwidth", capabilities: { bandwidth: true } },
  ],
});

async function leases(directory: string): Promise<string[]> {
  const names = await readdir(path.join(directory, "leases", "bridgenet"));
  return names.filter((name) => /^(10\.|fd00)/.test(name)).sort();
}

test(
  "bridge, host-local, portmap and bandwidth: a pod gets addresses and ports, and DEL leaves nothing",
  { skip },
  async () => {
    await using it = await machine(bridgeList);
    const rulesBefore = await it.inHost("iptables-save", "-t", "nat");
    const pod = await it.addPod("a", {
      portMappings: [{ protocol: "tcp", containerPort: 80, hostPort: 8099, hostIp: "" }],
      bandwidth: { ingressBitsPerSecond: 8_000_000, egressBitsPerSecond: 8_000_000 },
    });
    const result = await it.network.setUp(pod);
    assert.equal(it.network.handlesPortMappings(), true);
    assert.deepEqual(result.ips, ["10.251.7.2", "fd00:251:7::2"]);
    const link = await it.inPod(pod, "ip", "address", "show", "eth0");
    for (const part of [result.mac ?? "no mac", "10.251.7.2/24", "fd00:251:7::2/64"])
      assert.ok(link.includes(part), link);
    assert.match(await it.inHost("iptables-save", "-t", "nat"), /--dport 8099 .*10\.251\.7\.2:80/);
    assert.match(await it.inHost("tc", "qdisc", "show"), /tbf/);
    assert.deepEqual(await leases(it.directory), ["10.251.7.2", "fd00:251:7::2"]);
    assert.deepEqual(await it.network.cachedResult(pod.sandboxId), result);

    await it.network.tearDown(pod);
    assert.doesNotMatch(await it.inHost("ip", "link"), /veth/);
    assert.deepEqual(await leases(it.directory), []);
    // Chains that portmap and ipMasq keep for all pods may stay; nothing may name this pod.
    const added = (await it.inHost("iptables-save", "-t", "nat"))
      .split("\n")
      .filter((line) => !rulesBefore.includes(line));
    assert.deepEqual(
      added.filter((line) => line.includes(pod.sandboxId) || /10\.251\.7\.2|8099/.test(line)),
      [],
    );
    assert.deepEqual(await readdir(path.join(it.directory, "results")), []);
    await it.network.tearDown(pod);
  },
);

test("DEL releases the lease and the rules when the namespace is already gone", { skip }, async () => {
  await using it = await machine(bridgeList);
  const pod = await it.addPod("a", {
    portMappings: [{ protocol: "udp", containerPort: 53, hostPort: 8053, hostIp: "" }],
  });
  await it.network.setUp(pod);
  await command(["ip", "netns", "delete", path.basename(pod.netnsPath)]);
  await it.network.tearDown(pod);
  assert.deepEqual(await leases(it.directory), []);
  assert.doesNotMatch(await it.inHost("iptables-save", "-t", "nat"), /8053/);
});

test("a plugin's error reaches the caller and the plugins before it are undone", { skip }, async () => {
  await using it = await machine((directory) => ({
    ...bridgeList(directory),
    plugins: [
      { type: "bridge", bridge, ipam: hostLocal(directory, ["10.251.7.0/24"]) },
      { type: "tuning", sysctl: { "net.no.such.key": "1" } },
    ],
  }));
  const pod = await it.addPod("a");
  await assert.rejects(it.network.setUp(pod), /tuning.*bridgenet.*default\/a.*net.*no.*such/s);
  assert.doesNotMatch(await it.inHost("ip", "link"), /veth/);
  assert.deepEqual(await leases(it.directory), []);
});

test(
  "ten pods at once get ten addresses, and garbage collection removes those without a sandbox",
  { skip },
  async () => {
    await using it = await machine(bridgeList);
    const pods = await Promise.all(Array.from("abcdefghij", (name) => it.addPod(name)));
    const results = await Promise.all(pods.map((pod) => it.network.setUp(pod)));
    assert.equal(new Set(results.map((result) => result.ips[0])).size, 10);
    const kept = pods.slice(0, 2);
    await it.network.gc(new Set(kept.map((pod) => pod.sandboxId)));
    assert.equal((await leases(it.directory)).length, 4);
    await Promise.all(kept.map((pod) => it.network.tearDown(pod)));
    assert.deepEqual(await leases(it.directory), []);
  },
);

test(
  "ptp with version 0.3.1: the pod has an address and a route by the host, and DEL leaves no link",
  { skip },
  async () => {
    await using it = await machine((directory) => ({
      cniVersion: "0.3.1",
      name: "bridgenet",
      type: "ptp",
      ipMasq: true,
      ipam: hostLocal(directory, ["10.251.8.0/24"]),
    }));
    const pod = await it.addPod("a");
    const result = await it.network.setUp(pod);
    assert.deepEqual(result.ips, ["10.251.8.2"]);
    assert.match(await it.inPod(pod, "ip", "route"), /default via 10\.251\.8\.1 dev eth0/);
    assert.match(await it.inHost("ip", "route"), /10\.251\.8\.2 dev veth/);
    await it.network.tearDown(pod);
    assert.doesNotMatch(await it.inHost("ip", "link"), /veth/);
  },
);

test("CHECK succeeds on an intact pod and fails when its address is gone", { skip }, async () => {
  await using it = await machine((directory) => ({
    ...bridgeList(directory),
    plugins: [{ type: "bridge", bridge, isGateway: true, ipam: hostLocal(directory, ["10.251.7.0/24"]) }],
  }));
  const pod = await it.addPod("a");
  await it.network.setUp(pod);
  await it.network.check(pod);
  await it.inPod(pod, "ip", "address", "flush", "dev", "eth0");
  await assert.rejects(it.network.check(pod), /CHECK of CNI plugin bridge/);
  await it.network.tearDown(pod);
});
