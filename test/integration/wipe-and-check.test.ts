import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { appendFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { ImageService, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { useDaemon } from "../support/fixture.ts";
import { containerConfig, pull, removePod, runContainer, runPod, stopPod } from "../support/pods.ts";
import { cannotRunPods } from "../support/requirements.ts";

const program = path.resolve(import.meta.dirname, "../../bin/berth");
const idle = ["sh", "-c", 'trap "exit 0" TERM; while true; do sleep 1 & wait $!; done'];

describe("berth wipe and berth check", { skip: cannotRunPods() }, () => {
  const suite = useDaemon();

  async function berth(...words: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
    const argv = ["--config", suite.daemon.places.configFile, "--config-dir", "", ...words];
    return await promisify(execFile)(program, argv).then(
      ({ stdout, stderr }) => ({ status: 0, stdout, stderr }),
      (error: { code: number; stdout: string; stderr: string }) => ({ ...error, status: error.code }),
    );
  }

  async function podIds(): Promise<string[]> {
    const { items } = await suite.daemon.client.call(RuntimeService.method.listPodSandbox, {});
    return items.map(({ id }) => id);
  }

  it("wipe removes pods that have ended, by the daemon or without, and leaves ready ones and images", async () => {
    const { daemon, busybox } = suite;
    const ready = await runPod(daemon, "ready");
    await runContainer(daemon, ready, containerConfig(busybox, "app", idle));
    for (const running of [true, false]) {
      const ended = await runPod(daemon, "ended");
      await stopPod(daemon, ended.id);
      if (!running) await daemon.kill("SIGTERM");
      const { status, stdout, stderr } = await berth("wipe");
      assert.deepEqual([status, stdout], [0, `${ended.id}\n`], stderr);
      assert.match(stderr, /1 pods are ready and stay/);
      if (!running) await daemon.start();
      assert.deepEqual(await podIds(), [ready.id]);
    }
    await removePod(daemon, ready.id);
  });

  it("wipe --force removes all pods and images, running containers too", async () => {
    const { daemon, busybox } = suite;
    const ready = await runPod(daemon, "ready");
    await runContainer(daemon, ready, containerConfig(busybox, "app", idle));
    await daemon.kill("SIGTERM");
    assert.equal((await berth("wipe", "-f")).status, 0);
    await daemon.start();
    assert.deepEqual(await podIds(), []);
    assert.deepEqual((await daemon.client.call(ImageService.method.listImages, {})).images, []);
    await pull(daemon, busybox);
  });

  it("check finds nothing wrong with a store in use", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "checked");
    await runContainer(daemon, pod, containerConfig(busybox, "app", idle));
    const { status, stdout } = await berth("check");
    assert.equal(stdout, "1 images, 1 layers, 2 blobs, 1 pods, 1 containers: 0 problems\n");
    assert.equal(status, 0);
    await removePod(daemon, pod.id);
  });

  it("check and the daemon's log warn of a root that is a store of CRI-O's, and work with it", async () => {
    const { daemon, busybox } = suite;
    await daemon.kill("SIGTERM");
    const lock = path.join(daemon.places.root, "storage.lock");
    writeFileSync(lock, "");
    await daemon.start();
    const warnings = daemon.log().match(/level=warn msg="crio\.root is .*/g) ?? [];
    assert.equal(warnings.length, 1, warnings.join("\n"));
    assert.match(warnings[0] ?? "", /the store of CRI-O and Podman: .* Take crio\.root out of the configuration/);
    const { status, stderr } = await berth("check", "-q");
    assert.match(stderr, /^berth: warning: crio\.root is /m);
    assert.equal(status, 0);
    rmSync(lock);
    await pull(daemon, busybox);
  });

  it("check names what is damaged, and the quick one what is missing", async () => {
    const { daemon, busybox } = suite;
    await daemon.kill("SIGTERM");
    const at = (...names: string[]) => path.join(daemon.places.root, "images", ...names);
    const [layer = ""] = readdirSync(at("layers"));
    renameSync(at("layers", layer, "diff", "bin", "sh"), at("layers", layer, "sh"));
    const [config = ""] = readdirSync(at("images")).map((name) => name.replace(".json", ""));
    appendFileSync(at("blobs", "sha256", config), " ");
    const broken = path.join(daemon.places.root, "containers", "records-99.log");
    writeFileSync(broken, "broken {\n");

    const thorough = await berth("check");
    assert.equal(thorough.status, 1);
    assert.match(thorough.stdout, /layer \S+ is damaged: it has \d+ of its \d+ files/);
    assert.match(thorough.stdout, new RegExp(`blob sha256:${config} is damaged`));
    assert.match(thorough.stdout, /the record of the container broken in .* cannot be used/);
    assert.match((await berth("check", "-q")).stdout, /: 1 problems\n$/);

    rmSync(broken);
    rmSync(at("layers", layer), { recursive: true });
    assert.match((await berth("check", "-q")).stdout, /lacks the layer sha256:.*; pull it again/);
    await daemon.start();
    await pull(daemon, busybox);
    assert.equal((await berth("check")).status, 0);
  });
});
