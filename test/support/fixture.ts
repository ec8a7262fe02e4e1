import { after, before } from "node:test";
import assert from "node:assert/strict";
import { exitOnSignals } from "./at-exit.ts";
import { busyboxConfig, busyboxEntries, pauseEntries } from "./busybox.ts";
import { startDaemon, type DaemonSettings, type TestDaemon } from "./daemon.ts";
import { buildImage } from "./image-builder.ts";
import { containerConfig, pull, removePod, runPod, runToEnd } from "./pods.ts";
import { startRegistry, type TestRegistry } from "./registry.ts";

/** A daemon and a registry for all tests of a file; `busybox` is the reference of an image that is pulled already. */
export interface Fixture {
  readonly daemon: TestDaemon;
  readonly registry: TestRegistry;
  readonly busybox: string;
}

/**
 * Starts a registry and a daemon before the tests of the surrounding suite, and afterwards removes them and asserts that
 * nothing was left behind.
 */
export function useDaemon(settings: (registry: TestRegistry) => DaemonSettings = () => ({})): Fixture {
  let started: { daemon: TestDaemon; registry: TestRegistry; busybox: string } | undefined;
  before(async () => {
    exitOnSignals();
    const registry = await startRegistry();
    const chosen = settings(registry);
    const pause = `pause_image = "${registry.host}/test/pause:1"`;
    const daemon = await startDaemon({
      config: { "crio.image": pause },
      ...chosen,
      insecureRegistries: [registry.host, ...(chosen.insecureRegistries ?? [])],
    }).catch(async (error: unknown) => {
      await registry.stop();
      throw error;
    });
    started = { daemon, registry, busybox: "" };
    const image = buildImage({ layers: [{ entries: busyboxEntries() }], config: busyboxConfig });
    started.busybox = await registry.push(image, "test/busybox", "latest");
    await registry.push(buildImage({ layers: [{ entries: pauseEntries() }] }), "test/pause", "1");
    await pull(daemon, started.busybox);
    // Folders that the daemon makes with its first pod and keeps are not what tests look for.
    const pod = await runPod(daemon, "first");
    await runToEnd(daemon, pod, containerConfig(started.busybox, "first", ["true"]));
    await removePod(daemon, pod.id);
  });
  after(async () => {
    const left = await started?.daemon.cleanUp();
    await started?.registry.stop();
    assert.deepEqual(left ?? [], []);
  });
  const get = () => {
    if (started === undefined) throw new Error("the daemon of this suite did not start");
    return started;
  };
  return {
    get daemon() {
      return get().daemon;
    },
    get registry() {
      return get().registry;
    },
    get busybox() {
      return get().busybox;
    },
  };
}
