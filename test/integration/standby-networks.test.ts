import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { TestDaemon } from "../support/daemon.ts";
import { bridgeConflist } from "../support/daemon-config.ts";
import { eventually } from "../support/eventually.ts";
import {
  containerConfig,
  createContainer,
  exec,
  podConfig,
  podStatus,
  removePod,
  runContainer,
  runPod,
  startContainer,
  untilTerminated,
} from "../support/pods.ts";
import { cannotRunPods } from "../support/requirements.ts";
import { busyboxPath } from "../support/busybox.ts";
import { useWrappedDaemon } from "../support/wrapped-daemon.ts";

const kills = 10;

describe("a network that was connected ahead of its pod", { skip: cannotRunPods() }, () => {
  const { suite, programs } = useWrappedDaemon({ config: { berth: "standby_networks = 1" } });

  const adds = (): number =>
    programs()
      .bridge.calls()
      .filter((call) => call.startsWith("ADD")).length;

  /** The id of the network that waits, once there is one. */
  function waiting(daemon: TestDaemon): Promise<string> {
    return eventually("a network to wait", () => {
      const made = daemon.log().matchAll(/msg="a network waits for its pod" id=([0-9a-f]{64})/g);
      return [...made].map(([, id = ""]) => id).find((id) => namespaces(daemon).includes(id));
    });
  }

  /** Replaces the network's configuration by a changed one, and resolves when it was read. */
  async function configure(daemon: TestDaemon, change: (conflist: string) => string): Promise<void> {
    const loads = (): number => daemon.log().split("CNI network loaded").length;
    const before = loads();
    const file = path.join(daemon.places.conflistFolder, "10-test.conflist");
    writeFileSync(file, change(bridgeConflist(daemon.places)));
    await eventually("the new configuration to be read", () => (loads() > before ? true : undefined));
  }

  const namespaces = (daemon: TestDaemon): string[] =>
    readdirSync(path.join(daemon.places.runroot, "namespaces", "netns"));
  const leases = (daemon: TestDaemon): string[] => daemon.footprint().leases;

  it("is the pod's: no plugin runs, and the pod has its address and its own name", async () => {
    const { daemon, busybox } = suite;
    const id = await waiting(daemon);
    const before = adds();
    const pod = await runPod(daemon, "quick");
    assert.equal(pod.id, id);
    assert.equal(adds(), before);
    const main = await runContainer(daemon, pod, containerConfig(busybox, "main", untilTerminated));
    const { network } = await podStatus(daemon, pod.id);
    const { stdout: addresses } = await exec(daemon, main, ["ip", "-4", "addr", "show", "eth0"]);
    assert.ok(addresses.includes(` ${network?.ip ?? "?"}/`), addresses);
    await removePod(daemon, pod.id);
  });

  it("is not for a pod that wants a sysctl of its network", async () => {
    const { daemon, busybox } = suite;
    const id = await waiting(daemon);
    const config = podConfig(daemon, "choosy");
    const pod = await runPod(daemon, "choosy", { linux: { ...config.linux, sysctls: { "net.core.somaxconn": "77" } } });
    assert.notEqual(pod.id, id);
    const main = await runContainer(daemon, pod, containerConfig(busybox, "main", untilTerminated));
    assert.equal((await exec(daemon, main, ["cat", "/proc/sys/net/core/somaxconn"])).stdout.trim(), "77");
    await removePod(daemon, pod.id);
  });

  it("is taken away with a pod that cannot be made", async () => {
    const { daemon } = suite;
    const id = await waiting(daemon);
    const { linux } = podConfig(daemon, "refused");
    await assert.rejects(
      runPod(daemon, "refused", { linux: { ...linux, sysctls: { "kernel.sem": "nonsense" } } }),
      /INVALID_ARGUMENT: .*kernel\.sem/,
    );
    assert.ok(!namespaces(daemon).includes(id));
    assert.notEqual(await waiting(daemon), id);
  });

  it("is replaced when the network's configuration has changed", async () => {
    const { daemon } = suite;
    const outdated = await waiting(daemon);
    await configure(daemon, (conflist) => conflist.replace('"isGateway": true', '"isGateway": true, "mtu": 1400'));
    const pod = await runPod(daemon, "after-change");
    assert.notEqual(pod.id, outdated);
    const main = await runContainer(daemon, pod, containerConfig(suite.busybox, "main", untilTerminated));
    assert.match((await exec(daemon, main, ["ip", "link", "show", "eth0"])).stdout, /mtu 1400/);
    await removePod(daemon, pod.id);
    await configure(daemon, (conflist) => conflist);
  });

  it("is taken away for a pod that finds no address left", async () => {
    const { daemon } = suite;
    const { subnetPrefix } = daemon.places;
    const only = `${subnetPrefix}.77`;
    const range = `"subnet": "${subnetPrefix}.0/24"`;
    await configure(daemon, (conflist) =>
      conflist.replace(range, `${range}, "rangeStart": "${only}", "rangeEnd": "${only}"`),
    );
    await removePod(daemon, (await runPod(daemon, "first")).id);
    await eventually("the only address to be held", () =>
      leases(daemon).some((lease) => lease.endsWith(` ${only}`)) ? true : undefined,
    );
    const { linux } = podConfig(daemon, "choosy");
    const pod = await runPod(daemon, "choosy", { linux: { ...linux, sysctls: { "net.core.somaxconn": "77" } } });
    assert.equal((await podStatus(daemon, pod.id)).network?.ip, only);
    await assert.rejects(runPod(daemon, "one-too-many"), /RESOURCE_EXHAUSTED: .*no IP addresses available/);
    await removePod(daemon, pod.id);
    await configure(daemon, (conflist) => conflist);
  });

  it("is not used once its bridge was taken away", async () => {
    const { daemon, busybox } = suite;
    await waiting(daemon);
    execFileSync(busyboxPath(), ["ip", "link", "delete", daemon.places.bridge]);
    const before = adds();
    const pod = await runPod(daemon, "new-bridge");
    assert.ok(adds() > before, "the plugin did not run again");
    const mayPing = { linux: { securityContext: { capabilities: { addCapabilities: ["NET_RAW"] } } } };
    const main = await runContainer(daemon, pod, containerConfig(busybox, "main", untilTerminated, mayPing));
    const gateway = `${daemon.places.subnetPrefix}.1`;
    assert.match((await exec(daemon, main, ["ping", "-c", "1", "-W", "2", gateway])).stdout, /1 packets received/);
    await removePod(daemon, pod.id);
  });

  it("is swept after a kill, whenever it comes, and another one waits", async () => {
    const { daemon, busybox } = suite;
    for (let kill = 0; kill < kills; kill += 1) {
      const life = (async () => {
        const pod = await runPod(daemon, `killed-${kill}`);
        const main = await createContainer(daemon, pod, containerConfig(busybox, "main", untilTerminated));
        await startContainer(daemon, main);
        await removePod(daemon, pod.id);
      })();
      // From before the first step to after the last: each kill comes at another moment.
      await Promise.race([life, pause(kill * 60)]).catch(() => {});
      await daemon.restart();
      await life.catch(() => {});
      await daemon.removeAllPods();
    }
    await waiting(daemon);
    await daemon.kill("SIGTERM");
    assert.deepEqual(
      [leases(daemon), daemon.footprint().links, daemon.footprint().mounts.filter((one) => one.includes("netns"))],
      [[], [], []],
    );
    await daemon.start();
  });
});
