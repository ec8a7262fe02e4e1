import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { ContainerState, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { busyboxConfig, busyboxEntries } from "../support/busybox.ts";
import { containerPid } from "../support/cgroup-of.ts";
import { prepareDaemon, type TestDaemon } from "../support/daemon.ts";
import { eventually } from "../support/eventually.ts";
import { buildImage } from "../support/image-builder.ts";
import { containerConfig, containerStatus, exec, exited, pull, runContainer, runPod } from "../support/pods.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { cannotRunPods } from "../support/requirements.ts";

const home = path.resolve(import.meta.dirname, "../..");
const hasSystemd = existsSync("/run/systemd/system");

describe("berth.service", { skip: cannotRunPods() || (hasSystemd ? false : "systemd does not run here") }, () => {
  let registry: TestRegistry;
  let daemon: TestDaemon;
  let image: string;
  let unit: string;
  const systemctl = (...words: string[]): string => execFileSync("systemctl", words, { encoding: "utf8" }).trim();
  const property = (name: string): string => systemctl("show", "--value", `--property=${name}`, unit);

  before(async () => {
    registry = await startRegistry();
    daemon = prepareDaemon({ insecureRegistries: [registry.host] });
    unit = `berth-test-${path.basename(daemon.places.folder)}.service`;
    const { configFile } = daemon.places;
    const text = readFileSync(path.join(home, "packaging/berth.service"), "utf8")
      .replace(/^ExecStart=.*$/m, `ExecStart=${home}/bin/berth serve --config ${configFile} --config-dir ""`)
      .replace(/^WatchdogSec=.*$/m, "WatchdogSec=20s");
    writeFileSync(path.join("/run/systemd/system", unit), text);
    systemctl("daemon-reload");
    systemctl("start", unit);
    image = await registry.push(
      buildImage({ layers: [{ entries: busyboxEntries() }], config: busyboxConfig }),
      "test/busybox",
      "1",
    );
    await pull(daemon, image);
  });

  after(async () => {
    await daemon.removeAllPods();
    systemctl("stop", unit);
    rmSync(path.join("/run/systemd/system", unit));
    systemctl("daemon-reload");
    assert.deepEqual(await daemon.cleanUp(), []);
    await registry.stop();
  });

  it("is active once the daemon answers", async () => {
    assert.equal(property("ActiveState"), "active");
    const { runtimeName } = await daemon.client.call(RuntimeService.method.version, {});
    assert.equal(runtimeName, "cri-o");
  });

  it("hears from the daemon again before its watchdog bites", async () => {
    const first = property("WatchdogTimestampMonotonic");
    await eventually(
      "a sign of life",
      () => (property("WatchdogTimestampMonotonic") === first ? undefined : true),
      30_000,
    );
    assert.equal(property("NRestarts"), "0");
  });

  it("leaves containers alone when it is restarted, and the next daemon has them as they are", async () => {
    const pod = await runPod(daemon, "survivor");
    const id = await runContainer(
      daemon,
      pod,
      containerConfig(image, "survivor", ["sh", "-c", "trap 'exit 7' TERM; sleep 600 & wait"]),
    );
    const pid = await containerPid(daemon, id);
    const startTime = readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")[21];
    systemctl("restart", unit);
    await daemon.client.ready(20_000);
    assert.equal((await containerStatus(daemon, id)).state, ContainerState.CONTAINER_RUNNING);
    assert.equal(await containerPid(daemon, id), pid);
    assert.equal(readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")[21], startTime, "it is the same process");
    assert.equal((await exec(daemon, id, ["echo", "still here"])).stdout, "still here\n");
    await daemon.client.call(RuntimeService.method.stopContainer, { containerId: id, timeout: 10n });
    assert.equal((await exited(daemon, id)).exitCode, 7);
  });

  it("leaves containers alone while it is stopped, and knows afterwards how they ended", async () => {
    const pod = await runPod(daemon, "orphan");
    const id = await runContainer(daemon, pod, containerConfig(image, "orphan", ["sh", "-c", "sleep 600; exit 1"]));
    const pid = await containerPid(daemon, id);
    systemctl("stop", unit);
    process.kill(pid, "SIGKILL");
    await eventually("the container to end", () => (existsSync(`/proc/${pid}`) ? undefined : true));
    systemctl("start", unit);
    await daemon.client.ready(20_000);
    assert.equal((await exited(daemon, id)).exitCode, 137);
  });
});
