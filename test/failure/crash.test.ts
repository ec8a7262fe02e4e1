import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { ContainerState, ImageService, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { busyboxConfig, busyboxEntries } from "../support/busybox.ts";
import type { TestDaemon } from "../support/daemon.ts";
import { parseLog } from "../support/cri-log.ts";
import { eventually } from "../support/eventually.ts";
import { startFaultyProxy, type SeenRequest } from "../support/faulty-proxy.ts";
import { useDaemon } from "../support/fixture.ts";
import { buildImage, type BuiltImage } from "../support/image-builder.ts";
import {
  containerConfig,
  containerStatus,
  createContainer,
  exec,
  exited,
  podConfig,
  pull,
  removePod,
  runContainer,
  runPod,
  runToEnd,
  startContainer,
  stopPod,
  type PodConfig,
  untilTerminated,
} from "../support/pods.ts";
import { startRegistry } from "../support/registry.ts";
import { cannotRunPods, findProgram } from "../support/requirements.ts";
import { useWrappedDaemon } from "../support/wrapped-daemon.ts";
import type { WrappedPrograms } from "../support/wrapper.ts";

const { runPodSandbox, listPodSandbox, listContainers, removeContainer } = RuntimeService.method;

interface Point {
  program: Exclude<keyof WrappedPrograms, "pluginFolder" | "behave" | "remove">;
  call: string;
}

const points: readonly Point[] = [
  { program: "bridge", call: "ADD *" },
  { program: "portmap", call: "ADD *" },
  { program: "conmon", call: "*" },
  { program: "runc", call: "* create *" },
  { program: "runc", call: "* start *" },
  { program: "runc", call: "* delete *" },
  { program: "bridge", call: "DEL *" },
];

describe("a daemon killed in the middle of a pod's life", { skip: cannotRunPods() }, () => {
  const { suite, programs } = useWrappedDaemon();

  /** From RunPodSandbox to RemovePodSandbox, as far as the daemon lives. */
  async function life(daemon: TestDaemon, config: PodConfig): Promise<void> {
    const { podSandboxId } = await daemon.client.call(runPodSandbox, { config });
    const pod = { id: podSandboxId, config };
    const id = await createContainer(daemon, pod, containerConfig(suite.busybox, "main", untilTerminated));
    await startContainer(daemon, id);
    await stopPod(daemon, podSandboxId);
    await removePod(daemon, podSandboxId);
  }

  for (const { program, call } of points) {
    for (const trouble of ["crash-before", "crash-after"] as const) {
      it(`goes on with true states and nothing half-made: ${trouble} ${program} ${call}`, async () => {
        const { daemon } = suite;
        const before = daemon.footprint();
        const config = podConfig(daemon, `${program}-${trouble}`);
        programs()[program].plan(trouble, call, daemon.pid);
        await life(daemon, config).catch(() => {});
        assert.ok(programs()[program].crashed, `${program} ${call} was never called`);
        await daemon.ended();
        await daemon.start();
        await statesAreTrue(daemon);
        await canBeMadeAgain(daemon, config);
        await daemon.removeAllPods();
        await daemon.holdsNoMoreThan(before);
      });
    }
  }

  it("goes on with true states and nothing half-made: killed between CreateContainer and StartContainer", async () => {
    const { daemon, busybox } = suite;
    const before = daemon.footprint();
    const pod = await runPod(daemon, "created");
    const id = await createContainer(daemon, pod, containerConfig(busybox, "main", untilTerminated));
    await daemon.restart();
    await statesAreTrue(daemon);
    await startContainer(daemon, id);
    assert.equal((await containerStatus(daemon, id)).state, ContainerState.CONTAINER_RUNNING);
    await removePod(daemon, pod.id);
    await daemon.holdsNoMoreThan(before);
  });

  it("goes on with true states and nothing half-made: killed while a container is stopping", async () => {
    const { daemon, busybox } = suite;
    const before = daemon.footprint();
    const pod = await runPod(daemon, "stopping");
    const slow = [
      "sh",
      "-c",
      'trap "echo stopping; sleep 1; exit 4" TERM; echo up; while true; do sleep 1000 & wait $!; done',
    ];
    const id = await runContainer(daemon, pod, containerConfig(busybox, "main", slow));
    const { logPath } = await containerStatus(daemon, id);
    const said = (word: string) =>
      eventually(`the container to say ${word}`, () =>
        parseLog(logPath).some(({ text }) => text === word) ? true : undefined,
      );
    await said("up");
    const stopping = stopPod(daemon, pod.id).catch(() => {});
    await said("stopping");
    await daemon.restart();
    await stopping;
    await stopPod(daemon, pod.id);
    assert.equal((await exited(daemon, id)).exitCode, 4);
    await canBeMadeAgain(daemon, pod.config);
    await daemon.removeAllPods();
    await daemon.holdsNoMoreThan(before);
  });

  it("goes on with true states and nothing half-made: killed while a command is executed", async () => {
    const { daemon, busybox } = suite;
    const before = daemon.footprint();
    const pod = await runPod(daemon, "executing");
    const id = await runContainer(daemon, pod, containerConfig(busybox, "main", untilTerminated));
    const executing = exec(daemon, id, ["sh", "-c", "touch /runs; sleep 2"]).catch(() => {});
    await eventually("the command to run", async () =>
      (await exec(daemon, id, ["test", "-e", "/runs"])).exitCode === 0 ? true : undefined,
    );
    await daemon.restart();
    await executing;
    await statesAreTrue(daemon);
    assert.equal((await exec(daemon, id, ["true"])).exitCode, 0);
    await removePod(daemon, pod.id);
    await daemon.holdsNoMoreThan(before);
  });

  /** Containers run exactly when their processes do, and nothing is unknown. */
  async function statesAreTrue(daemon: TestDaemon): Promise<void> {
    const { containers } = await daemon.client.call(listContainers, {});
    for (const { id, state } of containers) {
      assert.notEqual(state, ContainerState.CONTAINER_UNKNOWN);
      const answer = await daemon.client.call(RuntimeService.method.containerStatus, {
        containerId: id,
        verbose: true,
      });
      const { pid } = JSON.parse(answer.info["info"] ?? "{}") as { pid?: number };
      if (state === ContainerState.CONTAINER_RUNNING) assert.ok(isAlive(pid), `${id} runs as ${pid}`);
    }
  }

  /** The kubelet asks again with the same metadata: the names are free or the pod is the same. */
  async function canBeMadeAgain(daemon: TestDaemon, config: PodConfig): Promise<void> {
    const { items } = await daemon.client.call(listPodSandbox, {});
    for (const { id } of items) await removePod(daemon, id);
    const { podSandboxId } = await daemon.client.call(runPodSandbox, { config });
    // The old log is the kubelet's and stays.
    const again = containerConfig(suite.busybox, "main", ["echo", "again"], { logPath: "main/1.log" });
    assert.equal((await runToEnd(daemon, { id: podSandboxId, config }, again)).stdout, "again\n");
  }
});

describe("a daemon killed in the middle of a pull", { skip: cannotRunPods() }, () => {
  const suite = useDaemon();

  const moments: { name: string; at: (image: BuiltImage) => (request: SeenRequest) => boolean; passBytes: number }[] = [
    {
      name: "the manifest is asked for",
      at:
        () =>
        ({ target }) =>
          target.includes("/manifests/"),
      passBytes: 0,
    },
    {
      name: "the configuration is asked for",
      at:
        ({ config }) =>
        ({ target }) =>
          target.endsWith(config.digest),
      passBytes: 0,
    },
    {
      name: "a layer begins",
      at:
        ({ layers }) =>
        ({ target }) =>
          target.endsWith(layers[0]?.digest ?? "-"),
      passBytes: 1,
    },
    {
      name: "half of a layer is there",
      at:
        ({ layers }) =>
        ({ target }) =>
          target.endsWith(layers[0]?.digest ?? "-"),
      passBytes: 500_000,
    },
    {
      name: "the last layer is asked for",
      at:
        ({ layers }) =>
        ({ target }) =>
          target.endsWith(layers.at(-1)?.digest ?? "-"),
      passBytes: 0,
    },
  ];

  for (const { name, at, passBytes } of moments) {
    it(`pulls the image again after it died when ${name}`, async () => {
      const { daemon } = suite;
      const image = buildImage({
        layers: [
          // Not the layer that the daemon has already.
          { entries: [...busyboxEntries(), { path: "moment", content: name }] },
          ...[1, 2, 3].map((number) => ({ entries: [{ path: `n${number}`, content: name }] })),
        ],
        config: busyboxConfig,
      });
      await using registry = await startRegistry();
      await registry.push(image, "crash/image", "v1");
      const reached = Promise.withResolvers<void>();
      const dead = Promise.withResolvers<void>();
      let crashAt: ((request: SeenRequest) => boolean) | undefined = at(image);
      await using proxy = await startFaultyProxy(registry.host, (request) => {
        if (crashAt?.(request) !== true) return undefined;
        crashAt = undefined;
        reached.resolve();
        return { kind: "stall", afterBytes: passBytes, release: dead.promise };
      });
      await daemon.allowInsecure(proxy.host);
      const before = daemon.footprint();
      const reference = `${proxy.host}/crash/image:v1`;
      const pulling = pull(daemon, reference).catch(() => {});
      await reached.promise;
      await daemon.kill("SIGKILL");
      dead.resolve();
      await pulling;
      await daemon.start();
      const { image: half } = await daemon.client.call(ImageService.method.imageStatus, {
        image: { image: reference },
      });
      assert.equal(half, undefined);
      await daemon.holdsNoMoreThan(before);
      await pull(daemon, reference);
      const { podSandboxId } = await daemon.client.call(runPodSandbox, { config: podConfig(daemon, "after-crash") });
      const pod = { id: podSandboxId, config: podConfig(daemon, "after-crash") };
      assert.equal((await runToEnd(daemon, pod, containerConfig(reference, "main", ["cat", "/n3"]))).stdout, name);
      await removePod(daemon, podSandboxId);
      await daemon.client.call(ImageService.method.removeImage, { image: { image: reference } });
      await daemon.holdsNoMoreThan(before);
    });
  }
});

function isAlive(pid: number | undefined): boolean {
  try {
    return pid !== undefined && pid > 0 && process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** runc is told by a fifo; others by their own command, which outlives the daemon. */
const notByFifo = (process.env["BERTH_TEST_RUNTIME"] ?? "runc").endsWith("runc")
  ? false
  : "only runc's start is berth's own";

describe(
  "a container whose start was under way when the daemon was killed",
  { skip: cannotRunPods() || notByFifo },
  () => {
    const suite = useDaemon();

    for (const told of [false, true]) {
      it(`runs when the next one has started: its process ${told ? "had gone on" : "still waited"}`, async () => {
        const { daemon, busybox } = suite;
        const { runroot } = daemon.places;
        const pod = await runPod(daemon, "starting");
        const before = daemon.footprint();
        const id = await createContainer(daemon, pod, containerConfig(busybox, "a", untilTerminated));
        const fifo = path.join(runroot, "runc", id, "exec.fifo");
        await daemon.kill("SIGKILL");
        writeFileSync(path.join(runroot, "containers", id, "starting"), "");
        if (told) execFileSync("cat", [fifo]);
        await daemon.start();
        assert.equal((await containerStatus(daemon, id)).state, ContainerState.CONTAINER_RUNNING);
        assert.equal(existsSync(fifo), false);
        assert.equal((await exec(daemon, id, ["true"])).exitCode, 0);
        await daemon.client.call(removeContainer, { containerId: id });
        await daemon.holdsNoMoreThan(before);
        await removePod(daemon, pod.id);
      });
    }

    it("runs also when its process gets time only long after the next one has started it", async () => {
      const { daemon, busybox } = suite;
      const { runroot } = daemon.places;
      const pod = await runPod(daemon, "starved");
      const id = await createContainer(daemon, pod, containerConfig(busybox, "a", untilTerminated));
      const state = execFileSync("runc", ["--root", path.join(runroot, "runc"), "state", id], { encoding: "utf8" });
      const { pid } = JSON.parse(state) as { pid: number };
      await daemon.kill("SIGKILL");
      writeFileSync(path.join(runroot, "containers", id, "starting"), "");
      process.kill(pid, "SIGSTOP");
      // Several times as long as one that gets time takes.
      const goesOn = delay(3000).then(() => process.kill(pid, "SIGCONT"));
      await Promise.all([daemon.start(), goesOn]);
      assert.equal((await containerStatus(daemon, id)).state, ContainerState.CONTAINER_RUNNING);
      assert.equal(existsSync(path.join(runroot, "runc", id, "exec.fifo")), false);
      await eventually("the program to run", () => readFileSync(`/proc/${pid}/comm`, "utf8") === "sh\n" || undefined);
      await removePod(daemon, pod.id);
    });
  },
);

describe("a container that is still being made when the next daemon starts", { skip: cannotRunPods() }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), "berth-slow-"));
  after(() => rmSync(folder, { recursive: true }));
  const runtime = path.join(folder, "runc");
  const waits = path.join(folder, "waits");
  const wait = `case " $* " in *" create "*) touch ${waits}.begun; while [ -e ${waits} ]; do sleep 0.05; done;; esac`;
  writeFileSync(runtime, `#!/bin/sh\n${wait}\nexec ${findProgram("runc")} "$@"\n`, { mode: 0o755 });
  const suite = useDaemon(() => ({ runtimePath: runtime }));

  it("is ended with all that was at work on it", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "slow");
    const before = daemon.footprint();
    rmSync(`${waits}.begun`, { force: true });
    writeFileSync(waits, "");
    const cut = createContainer(daemon, pod, containerConfig(busybox, "a", ["sleep", "1000"])).catch(() => {});
    await eventually("the runtime to begin", () => (existsSync(`${waits}.begun`) ? true : undefined));
    await daemon.restart();
    await cut;
    rmSync(waits);
    assert.deepEqual((await daemon.client.call(listContainers, {})).containers, []);
    await daemon.holdsNoMoreThan(before);
    await removePod(daemon, pod.id);
  });
});
