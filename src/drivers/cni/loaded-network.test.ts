import assert from "node:assert/strict";
import { mkdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { createNetwork, type CniOptions } from "./cni-network.ts";
import type { Network } from "./index.ts";
import { listOf, PluginRecorder, podOf } from "./plugin-recorder.ts";

async function open(recorder: PluginRecorder, options: Partial<CniOptions> = {}): Promise<Network & AsyncDisposable> {
  const { networkDir, cacheDir, pluginDir } = recorder;
  const network = await createNetwork({ networkDir, cacheDir, pluginDirs: [pluginDir], ...options });
  return Object.assign(network, { [Symbol.asyncDispose]: () => network.close() });
}

const soon = (): AbortSignal => AbortSignal.timeout(10_000);

/** Resolves when the status stops being ready. */
async function unready(network: Network): Promise<string> {
  for (const signal = soon(); network.status().ready;) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return network.status().message;
}

test("without a configuration the status says so in the kubelet's words and a pod is refused", async () => {
  await using recorder = await PluginRecorder.create();
  await using network = await open(recorder);
  assert.deepEqual(network.status(), {
    ready: false,
    reason: "NetworkPluginNotReady",
    message: `cni plugin not initialized: no CNI configuration file in ${recorder.networkDir}. Has your network provider started?`,
  });
  assert.equal(network.handlesPortMappings(), false);
  await assert.rejects(network.setUp(podOf("abc")), { kind: "unavailable" });
  await assert.rejects(network.ready(AbortSignal.abort()), { kind: "unavailable" });
});

test("a configuration in a directory that appears later is noticed", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await using network = await open(recorder, { networkDir: path.join(recorder.root, "etc", "cni", "net.d") });
  const ready = network.ready(soon());
  await mkdir(path.join(recorder.root, "etc", "cni"), { recursive: true });
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  await rename(recorder.networkDir, path.join(recorder.root, "etc", "cni", "net.d"));
  await ready;
});

test("a configuration that is replaced, removed, and comes back in a new directory is followed", async () => {
  await using recorder = await PluginRecorder.create("bridge", "portmap");
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  await using network = await open(recorder);
  assert.equal(network.status().ready, true);
  await rm(recorder.networkDir, { recursive: true });
  assert.match(await unready(network), /no CNI configuration file/);
  const ready = network.ready(soon());
  const plugins = [{ type: "portmap", capabilities: { portMappings: true } }];
  await recorder.configure("10-a.conflist", listOf([], { plugins }));
  await ready;
  assert.equal(network.handlesPortMappings(), true);
});

test("a configuration becomes usable when its plugin is installed, and unusable when it is removed", async () => {
  await using recorder = await PluginRecorder.create();
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  await using network = await open(recorder);
  assert.match(network.status().message, /10-a.conflist: CNI plugin bridge is not in/);
  const ready = network.ready(soon());
  await recorder.install("bridge");
  await ready;
  await rm(path.join(recorder.pluginDir, "bridge"));
  assert.match(await unready(network), /CNI plugin bridge is not in/);
});

test("the first usable file in lexical order is chosen and the unusable ones before it are reported", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.configure("05-broken.conflist", "{");
  await recorder.configure("06-missing.conf", { cniVersion: "1.0.0", name: "a", type: "nothere" });
  await recorder.configure("07-new.conflist", listOf(["bridge"], { cniVersion: "9.0.0" }));
  await recorder.configure("10-single.conf", { cniVersion: "0.4.0", type: "bridge" });
  await recorder.configure("20-later.conflist", listOf(["bridge"]));
  await recorder.configure("README.txt", "not a configuration");
  await using network = await open(recorder);
  const { ready, message } = network.status();
  assert.equal(ready, true);
  for (const part of ["05-broken.conflist: it is no JSON", "06-missing.conf", "CNI version 9.0.0 is not supported"])
    assert.ok(message.includes(part), `${part} in ${message}`);
  await network.setUp(podOf("abc"));
  assert.equal((await recorder.calls())[0]?.input["name"], "10-single.conf");
});

test("a named default network is waited for", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  await using network = await open(recorder, { cniDefaultNetwork: "wanted" });
  assert.match(network.status().message, /for network wanted/);
  const ready = network.ready(soon());
  await recorder.configure("20-b.conflist", listOf(["bridge"], { name: "wanted" }));
  await ready;
});

test("the highest version that configuration and plugins share is used", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.answer("VERSION", "bridge", `echo '{"supportedVersions":["0.4.0","1.0.0"]}'`);
  await recorder.configure(
    "10-a.conflist",
    listOf(["bridge"], { cniVersion: "0.4.0", cniVersions: ["1.0.0", "1.1.0", "2.0.0"] }),
  );
  await using network = await open(recorder);
  await network.setUp(podOf("abc"));
  assert.equal((await recorder.calls())[0]?.input["cniVersion"], "1.0.0");
});

test("plugins in the folder of the network's name are appended, unless the list forbids it", async () => {
  await using recorder = await PluginRecorder.create("bridge", "tuning");
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  await recorder.configure("testnet/10-tuning.conf", { type: "tuning" });
  await using network = await open(recorder);
  await network.setUp(podOf("abc"));
  await network.tearDown(podOf("abc"));
  assert.deepEqual(await recorder.names(), ["ADD bridge", "ADD tuning", "DEL tuning", "DEL bridge"]);
  await recorder.configure("10-a.conflist", listOf(["bridge"], { loadOnlyInlinedPlugins: true }));
  await using inlined = await open(recorder);
  await inlined.setUp(podOf("def"));
  assert.deepEqual((await recorder.names()).slice(4), ["ADD bridge"]);
});

test("STATUS of a 1.1.0 network decides about readiness and is asked again", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.answer("STATUS", "bridge", `echo '{"code":50,"msg":"agent not running"}'; exit 1`);
  await recorder.configure("10-a.conflist", listOf(["bridge"], { cniVersion: "1.1.0" }));
  await using network = await open(recorder, { statusIntervalMs: 20 });
  assert.match(
    network.status().message,
    /cni plugin not ready: STATUS of CNI plugin bridge.*agent not running \(code 50\)/,
  );
  const ready = network.ready(soon());
  await recorder.clearAnswer("STATUS", "bridge");
  await ready;
  await recorder.answer("STATUS", "bridge", "exit 1");
  assert.match(await unready(network), /exit code 1/);
});

test("a failing STATUS within the grace period is told in the message and leaves the network ready", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.configure("10-a.conflist", listOf(["bridge"], { cniVersion: "1.1.0" }));
  await using network = await open(recorder, { statusIntervalMs: 20, statusGracePeriodMs: 3_600_000 });
  await recorder.answer("STATUS", "bridge", "exit 1");
  for (const signal = soon(); network.status().message === ""; signal.throwIfAborted())
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(network.status().ready, true);
  assert.match(network.status().message, /exit code 1/);
});

test("networks before 1.1.0 are not asked for STATUS", async () => {
  await using recorder = await PluginRecorder.create("bridge");
  await recorder.configure("10-a.conflist", listOf(["bridge"]));
  await using network = await open(recorder, { statusIntervalMs: 5 });
  assert.equal(network.status().ready, true);
  assert.deepEqual(await recorder.names(), []);
});
