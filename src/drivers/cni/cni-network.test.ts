import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { DomainError } from "#errors/domain-error.ts";
import { createNetwork, type CniOptions } from "./cni-network.ts";
import type { Network } from "./index.ts";
import { listOf, PluginRecorder, podOf } from "./plugin-recorder.ts";

async function open(recorder: PluginRecorder, options: Partial<CniOptions> = {}): Promise<Network & AsyncDisposable> {
  const { networkDir, cacheDir, pluginDir } = recorder;
  const network = await createNetwork({ networkDir, cacheDir, pluginDirs: [pluginDir], ...options });
  return Object.assign(network, { [Symbol.asyncDispose]: () => network.close() });
}

function failing(code: number, message: string): string {
  return `echo '{"code":${code},"msg":"${message}","details":"more"}'; echo oops >&2; exit 1`;
}

test("ADD runs every plugin once, in order, with the variables and the previous result of the specification", async () => {
  await using recorder = await PluginRecorder.create("bridge", "tuning");
  await recorder.configure("10-a.conflist", listOf(["bridge", "tuning"]));
  await using network = await open(recorder);
  const result = await network.setUp(podOf("abc"));
  assert.deepEqual(result.ips, ["10.1.0.2"]);
  assert.equal(result.mac, "02:00:00:00:00:02");
  const [bridge, tuning] = await recorder.calls();
  assert.deepEqual(await recorder.names(), ["ADD bridge", "ADD tuning"]);
  assert.deepEqual(bridge?.variables, {
    CNI_COMMAND: "ADD",
    CNI_CONTAINERID: "abc",
    CNI_NETNS: "/proc/self/ns/net",
    CNI_IFNAME: "eth0",
    CNI_PATH: recorder.pluginDir,
    CNI_ARGS:
      "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=abc;K8S_POD_UID=uid-1",
  });
  assert.deepEqual(bridge?.input, { type: "bridge", name: "testnet", cniVersion: "1.0.0" });
  assert.deepEqual(tuning?.input["prevResult"], result.raw);
});

test("a plugin gets the capabilities it declares and no others", async () => {
  await using recorder = await PluginRecorder.create("bridge", "portmap");
  const plugins = [
    { type: "bridge", capabilities: { mac: true, ips: false } },
    {
      type: "portmap",
      capabilities: { portMappings: true, bandwidth: true, "io.kubernetes.cri.pod-annotations": true },
    },
  ];
  await recorder.configure("10-a.conflist", listOf([], { plugins }));
  await using network = await open(recorder);
  assert.equal(network.handlesPortMappings(), true);
  await network.setUp(
    podOf("abc", {
      mac: "02:00:00:00:00:09",
      ips: ["10.1.0.9"],
      annotations: { a: "b" },
      bandwidth: { ingressBitsPerSecond: 1000 },
      portMappings: [
        { protocol: "tcp", containerPort: 80, hostPort: 8080, hostIp: "" },
        { protocol: "udp", containerPort: 53, hostPort: 53, hostIp: "127.0.0.1" },
        { protocol: "tcp", containerPort: 81, hostPort: 0, hostIp: "" },
      ],
    }),
  );
  const [bridge, portmap] = await recorder.calls();
  assert.deepEqual(bridge?.input["runtimeConfig"], { mac: "02:00:00:00:00:09" });
  assert.deepEqual(portmap?.input["runtimeConfig"], {
    portMappings: [
      { hostPort: 8080, containerPort: 80, protocol: "tcp" },
      { hostPort: 53, containerPort: 53, protocol: "udp", hostIP: "127.0.0.1" },
    ],
    bandwidth: { ingressRate: 1000, ingressBurst: 2 ** 31 - 1 },
    "io.kubernetes.cri.pod-annotations": { a: "b" },
  });
});

test("a failed ADD is undone by DEL, leaves no cache entry, and names plugin, network, pod and message", async () => {
  await using recorder = await PluginRecorder.create("bridge", "tuning");
  await recorder.configure("10-a.conflist", listOf(["bridge", "tuning"]));
  await recorder.answer("ADD", "tuning", failing(7, "bad sysctl"));
  await using network = await open(recorder);
  await assert.rejects(network.setUp(podOf("abc")), (error) => {
    assert.ok(error instanceof DomainError);
    assert.equal(error.kind, "internal");
    for (const part of ["tuning", "testnet", "default/web", "bad sysctl (code 7)", "more", "oops"])
      assert.ok(error.message.includes(part), `${part} in ${error.message}`);
    return true;
  });
  assert.deepEqual(await recorder.names(), ["ADD bridge", "ADD tuning", "DEL tuning", "DEL bridge"]);
  assert.deepEqual(await readdir(recorder.cacheDir), []);
});

test("error code 11 makes the failure unavailable, so that it is tried again", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  await recorder.answer("ADD", "bridge", failing(11, "busy"));
  await using network = await open(recorder);
  await assert.rejects(network.setUp(podOf("abc")), { kind: "unavailable" });
});

test("a plugin that is too slow is killed and the failure says so", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  await recorder.answer("ADD", "bridge", "exec sleep 60");
  await using network = await open(recorder, { addTimeoutMs: 300 });
  await assert.rejects(network.setUp(podOf("abc")), { kind: "unavailable", message: /no answer within/ });
  assert.equal((await recorder.names()).at(-1), "DEL bridge");
});

test("DEL uses the configuration and result of ADD, in reverse order, after the configuration changed", async () => {
  await using recorder = await PluginRecorder.create("bridge", "tuning", "other");
  await recorder.configure("10-a.conflist", listOf([], { plugins: [{ type: "bridge", mtu: 1 }, { type: "tuning" }] }));
  await using first = await open(recorder);
  const { raw } = await first.setUp(podOf("abc"));
  await recorder.configure("10-a.conflist", listOf(["other"], { name: "othernet" }));
  await using network = await open(recorder);
  await network.tearDown(podOf("abc"));
  const calls = (await recorder.calls()).slice(2);
  assert.deepEqual(
    calls.map((call) => call.name),
    ["DEL tuning", "DEL bridge"],
  );
  assert.equal(calls[1]?.input["mtu"], 1);
  assert.equal(calls[1]?.input["name"], "testnet");
  for (const call of calls) assert.deepEqual(call.input["prevResult"], raw);
  assert.deepEqual(await readdir(recorder.cacheDir), []);
  await network.tearDown(podOf("abc"));
  assert.equal((await recorder.calls()).length, 4);
});

test("the cache entry exists before the first plugin runs, in the layout of the reference library", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  await recorder.answer(
    "ADD",
    "bridge",
    'cp "$root/results/testnet-abc-eth0" "$root/seen"; echo "{\\"cniVersion\\":\\"1.0.0\\"}"',
  );
  await using network = await open(recorder);
  await network.setUp(podOf("abc"));
  const before = JSON.parse(await readFile(path.join(recorder.root, "seen"), "utf8")) as Record<string, unknown>;
  const after = JSON.parse(await readFile(path.join(recorder.cacheDir, "testnet-abc-eth0"), "utf8")) as typeof before;
  assert.equal(before["result"], undefined);
  assert.deepEqual(after["result"], { cniVersion: "1.0.0" });
  const config: unknown = JSON.parse(Buffer.from(String(after["config"]), "base64").toString());
  assert.equal((config as Record<string, unknown>)["name"], "testnet");
  const { kind, containerId, ifName, networkName, netns } = after;
  assert.deepEqual(
    { kind, containerId, ifName, networkName, netns },
    { kind: "cniCacheV1", containerId: "abc", ifName: "eth0", networkName: "testnet", netns: "/proc/self/ns/net" },
  );
});

test("an ADD that a crash cut short is undone by another daemon's DEL", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  const wait = `: > "$root/begun"; while ! [ -f "$root/go" ]; do sleep 0.02; done; exit 1`;
  await recorder.answer("ADD", "bridge", wait);
  await using crashed = await open(recorder);
  const adding = assert.rejects(crashed.setUp(podOf("abc")));
  while (!(await readdir(recorder.root)).includes("begun")) await new Promise((resolve) => setTimeout(resolve, 10));
  await using network = await open(recorder);
  await network.tearDown(podOf("abc"));
  assert.deepEqual(await recorder.names(), ["ADD bridge", "DEL bridge"]);
  await writeFile(path.join(recorder.root, "go"), "");
  await adding;
});

test("DEL of an attachment whose namespace is gone passes an empty CNI_NETNS", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  const gone = path.join(recorder.root, "netns");
  await writeFile(gone, "");
  await using network = await open(recorder);
  await network.setUp(podOf("abc", { netnsPath: gone }));
  await network.tearDown(podOf("abc", { netnsPath: gone }));
  assert.equal((await recorder.calls()).at(-1)?.variables["CNI_NETNS"], "");
});

test("a failed DEL keeps the cache entry, and a later one that succeeds removes it", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  await using network = await open(recorder);
  await network.setUp(podOf("abc"));
  await recorder.answer("DEL", "bridge", failing(100, "stuck"));
  await assert.rejects(network.tearDown(podOf("abc")), /stuck/);
  assert.notEqual(await network.cachedResult("abc"), undefined);
  await recorder.clearAnswer("DEL", "bridge");
  await network.tearDown(podOf("abc"));
  assert.equal(await network.cachedResult("abc"), undefined);
});

test("when ADD and the DEL that undoes it fail, both are reported and the entry stays for a later DEL", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  await recorder.answer("ADD", "bridge", failing(100, "first"));
  await recorder.answer("DEL", "bridge", failing(100, "second"));
  await using network = await open(recorder);
  await assert.rejects(network.setUp(podOf("abc")), (error) => {
    assert.ok(error instanceof SuppressedError);
    assert.match(String(error.suppressed), /first/);
    assert.match(String(error.error), /second/);
    return true;
  });
  assert.deepEqual(await readdir(recorder.cacheDir), ["testnet-abc-eth0"]);
});

test("error code 3 on DEL means there is nothing to clean up", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  await recorder.answer("DEL", "bridge", failing(3, "unknown container"));
  await using network = await open(recorder);
  await network.setUp(podOf("abc"));
  await network.tearDown(podOf("abc"));
  assert.deepEqual(await readdir(recorder.cacheDir), []);
});

test("a damaged cache entry is removed by a DEL with the configuration of today", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  await using first = await open(recorder);
  await first.setUp(podOf("abc"));
  await writeFile(path.join(recorder.cacheDir, "testnet-abc-eth0"), "");
  await using network = await open(recorder);
  await network.tearDown(podOf("abc"));
  assert.deepEqual(await recorder.names(), ["ADD bridge", "DEL bridge"]);
  assert.deepEqual(await readdir(recorder.cacheDir), []);
});

test("a damaged cache entry is removed also for a pod whose name no plugin can be given", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  await mkdir(recorder.cacheDir, { recursive: true });
  await writeFile(path.join(recorder.cacheDir, "testnet-abc-eth0"), "");
  await using network = await open(recorder);
  await network.tearDown(podOf("abc", { podName: "a;IP=10.0.0.1" }));
  const [del] = await recorder.calls();
  assert.equal(
    del?.variables["CNI_ARGS"],
    "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_INFRA_CONTAINER_ID=abc;K8S_POD_UID=uid-1",
  );
  assert.deepEqual(await readdir(recorder.cacheDir), []);
});

test("an invalid address in a result fails the pod and is undone", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  await recorder.answer("ADD", "bridge", `echo '{"cniVersion":"1.0.0","ips":[{"address":"10.1.0.2; rm/24"}]}'`);
  await using network = await open(recorder);
  await assert.rejects(network.setUp(podOf("abc")), /invalid address/);
  assert.deepEqual(await recorder.names(), ["ADD bridge", "DEL bridge"]);
});

test("a pod name that would add CNI arguments is refused before any plugin runs", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  await using network = await open(recorder);
  await assert.rejects(network.setUp(podOf("abc", { podName: "a;IP=10.0.0.1" })), { kind: "invalid-argument" });
  assert.deepEqual(await recorder.names(), []);
});

test("CHECK runs with the cached result, and not at all when the configuration disables it", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  await using network = await open(recorder);
  await assert.rejects(network.check(podOf("abc")), { kind: "not-found" });
  const { raw } = await network.setUp(podOf("abc"));
  await network.check(podOf("abc"));
  assert.deepEqual((await recorder.calls()).at(-1)?.name, "CHECK bridge");
  assert.deepEqual((await recorder.calls()).at(-1)?.input["prevResult"], raw);
  await recorder.configure("10-a.conflist", listOf(["bridge"], { disableCheck: true }));
  await using unchecked = await open(recorder);
  await unchecked.setUp(podOf("def"));
  await unchecked.check(podOf("def"));
  assert.equal((await recorder.names()).filter((name) => name === "CHECK bridge").length, 1);
});

test("garbage collection deletes stale attachments of ours, and tells 1.1.0 plugins which are valid", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.configure("10-a.conflist", listOf(["bridge"], { cniVersion: "1.1.0" }));
  await using network = await open(recorder, { statusIntervalMs: 1e6 });
  for (const id of ["keep", "stale"]) await network.setUp(podOf(id));
  await using other = await open(recorder, { owner: "other", statusIntervalMs: 1e6 });
  await other.setUp(podOf("foreign"));
  await network.gc(new Set(["keep"]));
  const calls = (await recorder.calls()).filter((call) => /DEL|GC/.test(call.name));
  assert.deepEqual(
    calls.map((call) => `${call.name} ${call.variables["CNI_CONTAINERID"] ?? ""}`.trim()),
    ["DEL bridge stale", "GC bridge"],
  );
  const valid = calls[1]?.input["cni.dev/valid-attachments"];
  assert.deepEqual(valid, [
    { containerID: "keep", ifname: "eth0" },
    { containerID: "foreign", ifname: "eth0" },
  ]);
  assert.deepEqual((await readdir(recorder.cacheDir)).sort(), ["testnet-foreign-eth0", "testnet-keep-eth0"]);
});

test("garbage collection deletes another runtime's attachment only when its namespace is gone", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  await using network = await open(recorder);
  for (const [id, netnsPath] of [
    ["alive", "/proc/self/ns/net"],
    ["dead", "/nowhere/netns"],
  ] as const) {
    await network.setUp(podOf(id, { netnsPath }));
    const file = path.join(recorder.cacheDir, `testnet-${id}-eth0`);
    const { owner: _owner, ...entry } = JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;
    await writeFile(file, JSON.stringify(entry));
  }
  await network.gc(new Set());
  assert.deepEqual(await readdir(recorder.cacheDir), ["testnet-alive-eth0"]);
});

test("garbage collection leaves a pod alone whose setUp is under way", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  await recorder.answer("ADD", "bridge", `sleep 0.3; echo '{"cniVersion":"1.0.0"}'`);
  await using network = await open(recorder);
  const settingUp = network.setUp(podOf("new"));
  await network.gc(new Set());
  await settingUp;
  assert.deepEqual(await recorder.names(), ["ADD bridge"]);
});

test("results pass between plugins in the form of the list's version", async () => {
  await using recorder = await PluginRecorder.create("bridge", "tuning");
  await recorder.configure("10-a.conflist", listOf(["bridge", "tuning"], { cniVersion: "0.4.0" }));
  await using network = await open(recorder);
  await network.setUp(podOf("abc"));
  const [, tuning] = await recorder.calls();
  const previous = tuning?.input["prevResult"] as Record<string, unknown>;
  assert.equal(previous["cniVersion"], "0.4.0");
  assert.deepEqual(previous["ips"], [{ version: "4", address: "10.1.0.2/24", interface: 1 }]);
});

test("pods are attached in parallel", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  // Each waits until both are there: one at a time would never end.
  await recorder.answer(
    "ADD",
    "bridge",
    `: > "$root/$CNI_CONTAINERID"; while ! [ -f "$root/a" -a -f "$root/b" ]; do sleep 0.02; done; echo '{"cniVersion":"1.0.0"}'`,
  );
  await using network = await open(recorder, { addTimeoutMs: 20_000 });
  await Promise.all([network.setUp(podOf("a")), network.setUp(podOf("b"))]);
  assert.deepEqual(await recorder.names(), ["ADD bridge", "ADD bridge"]);
});
