import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { useDaemon } from "../support/fixture.ts";
import { openFilesOf } from "../support/footprint.ts";
import {
  containerConfig,
  exec,
  podConfig,
  removePod,
  runContainer,
  runPod,
  runToEnd,
  stopPod,
  type PodConfig,
  untilTerminated,
} from "../support/pods.ts";
import { cannotRunPods } from "../support/requirements.ts";
import { useWrappedDaemon } from "../support/wrapped-daemon.ts";
import type { Trouble, WrappedPrograms } from "../support/wrapper.ts";

type Program = Exclude<keyof WrappedPrograms, "pluginFolder" | "behave" | "remove">;

interface Injection {
  program: Program;
  /** Shell pattern on the program's arguments, or on CNI's command. */
  call: string;
  troubles: readonly Trouble[];
  /** Whether making or ending the pod must fail with it; what the runtime forgives may go either way. */
  fails: "start" | "end" | "maybe";
}

const injections: readonly Injection[] = [
  { program: "bridge", call: "ADD *", troubles: ["fail-before", "fail-after", "die"], fails: "start" },
  { program: "portmap", call: "ADD *", troubles: ["fail-before", "fail-after", "die"], fails: "start" },
  { program: "bridge", call: "DEL *", troubles: ["fail-before", "fail-after"], fails: "end" },
  { program: "portmap", call: "DEL *", troubles: ["fail-before"], fails: "end" },
  { program: "conmon", call: "*", troubles: ["fail-before", "die"], fails: "start" },
  { program: "runc", call: "* create *", troubles: ["fail-before", "fail-after", "die"], fails: "start" },
  { program: "runc", call: "* start *", troubles: ["fail-before", "fail-after", "die"], fails: "start" },
  { program: "runc", call: "* delete *", troubles: ["fail-before", "fail-after", "die"], fails: "maybe" },
];

const podCount = 50;
const atOnce = 5;

describe("fifty pods", { skip: cannotRunPods() }, () => {
  const suite = useDaemon();

  it("made and removed leave nothing: no mount, link, cgroup, process, lease, path or open file", async () => {
    const { daemon, busybox } = suite;
    const life = async (index: number): Promise<void> => {
      const pod = await runPod(daemon, `pod-${index}`);
      const id = await runContainer(daemon, pod, containerConfig(busybox, "main", untilTerminated));
      await exec(daemon, id, ["true"]);
      await runToEnd(daemon, pod, containerConfig(busybox, "brief", ["echo", "x"]));
      await removePod(daemon, pod.id);
    };
    await Promise.all(Array.from({ length: atOnce }, (_, index) => life(-1 - index)));
    const before = daemon.footprint();
    const filesBefore = openFilesOf(daemon.pid).length;
    for (let first = 0; first < podCount; first += atOnce) {
      await Promise.all(Array.from({ length: atOnce }, (_, index) => life(first + index)));
    }
    await daemon.holdsNoMoreThan(before);
    // A connection or a worker's pipe more or less is no leak; one for each pod is.
    const filesAfter = openFilesOf(daemon.pid);
    assert.ok(
      filesAfter.length < filesBefore + podCount / 5,
      `${filesBefore} open files before, now:\n${filesAfter.join("\n")}`,
    );
  });
});

describe("a pod at which something fails", { skip: cannotRunPods() }, () => {
  const { suite, programs } = useWrappedDaemon();

  /** Makes a pod with a container and ends it; says where it failed. */
  async function life(config: PodConfig): Promise<"start" | "end" | "nowhere"> {
    const { daemon, busybox } = suite;
    const { client } = daemon;
    let podSandboxId = "";
    try {
      ({ podSandboxId } = await client.call(RuntimeService.method.runPodSandbox, { config }));
      const pod = { id: podSandboxId, config };
      const containerId = await runContainer(daemon, pod, containerConfig(busybox, "main", untilTerminated));
      await exec(daemon, containerId, ["true"]);
    } catch {
      return "start";
    }
    try {
      await stopPod(daemon, podSandboxId);
      await removePod(daemon, podSandboxId);
    } catch {
      return "end";
    }
    return "nowhere";
  }

  for (const { program, call, troubles, fails } of injections) {
    for (const trouble of troubles) {
      it(`leaves nothing behind: ${program} ${call} ${trouble}`, async () => {
        const { daemon } = suite;
        const before = daemon.footprint();
        const config = podConfig(daemon, `${program}-${trouble}`);
        programs()[program].plan(trouble, call);
        const failed = await life(config);
        const callsMade = programs()[program].calls().length;
        programs().behave();
        assert.ok(callsMade > 0, `${program} was never called`);
        if (fails !== "maybe") assert.equal(failed, fails);
        await daemon.removeAllPods();
        await daemon.holdsNoMoreThan(before);
        // The name is free again, and the same pod can be.
        assert.equal(await life(config), "nowhere");
        await daemon.holdsNoMoreThan(before);
      });
    }
  }
});
