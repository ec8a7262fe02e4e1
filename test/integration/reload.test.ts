import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, it } from "node:test";
import { RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { eventually } from "../support/eventually.ts";
import { useDaemon } from "../support/fixture.ts";
import { containerConfig, exec, type Pod, runContainer, runPod, untilTerminated } from "../support/pods.ts";
import { cannotRunPods, findProgram } from "../support/requirements.ts";

describe("a change of default_runtime and of runtimes, told by SIGHUP", { skip: cannotRunPods() }, () => {
  const suite = useDaemon((registry) => ({
    config: {
      "crio.image": `pause_image = "${registry.host}/test/pause:1"`,
      "crio.runtime": "drop_infra_ctr = false",
    },
  }));

  const runc = findProgram("runc") ?? "";
  let ofFixture: string | undefined;

  /** Writes crio.conf with another default handler, and with handlers beside runc: name → program. */
  async function configure(defaultRuntime: string, others: Record<string, string>): Promise<void> {
    const { configFile, runroot } = suite.daemon.places;
    ofFixture ??= await readFile(configFile, "utf8");
    const tables = Object.entries(others).map(
      ([name, program]) => `
[crio.runtime.runtimes.${name}]
runtime_path = "${program}"
runtime_root = "${path.join(runroot, "other")}"
monitor_path = "${findProgram("conmon")}"
monitor_cgroup = "pod"
`,
    );
    const text = ofFixture.replace('default_runtime = "runc"', `default_runtime = "${defaultRuntime}"`);
    await writeFile(configFile, text + tables.join(""));
  }

  /** Resolves with what the daemon's log says of the reload. */
  async function reload(defaultRuntime: string, others: Record<string, string>): Promise<string> {
    const { daemon } = suite;
    const before = daemon.log().length;
    await configure(defaultRuntime, others);
    process.kill(daemon.pid, "SIGHUP");
    return eventually("the reload to be logged", () => {
      const said = daemon.log().slice(before);
      return /reload (completed|failed)/.test(said) ? said : undefined;
    });
  }

  async function handlerOf(containerId: string): Promise<string> {
    const { info } = await suite.daemon.client.call(RuntimeService.method.containerStatus, {
      containerId,
      verbose: true,
    });
    return (JSON.parse(info["info"] ?? "{}") as { runtimeHandler: string }).runtimeHandler;
  }

  /** Kills what runs: a shell that has only just been started may miss a stop signal. */
  async function remove(pod: Pod): Promise<void> {
    await suite.daemon.client.call(RuntimeService.method.removePodSandbox, { podSandboxId: pod.id });
  }

  const service = (pod: Pod): Promise<string> =>
    runContainer(suite.daemon, pod, containerConfig(suite.busybox, "app", untilTerminated));

  it("counts for pods to come, while those that run keep the handler they were started with", async () => {
    const { daemon, busybox } = suite;
    const early = await runPod(daemon, "early");
    const first = await service(early);
    const said = await reload("other", { other: runc });
    assert.match(said, /reload completed/);
    assert.doesNotMatch(said, /after a restart/);

    const late = await runPod(daemon, "late");
    assert.equal(await handlerOf(await service(late)), "other");
    const second = await runContainer(daemon, early, containerConfig(busybox, "second", untilTerminated));
    assert.equal(await handlerOf(second), "runc");
    assert.equal((await exec(daemon, first, ["echo", "still", "here"])).stdout, "still here\n");
    // What the suite finds left behind would be the pause process of a pod whose runtime was asked no more.
    for (const pod of [early, late]) await remove(pod);
  });

  it("is refused, and nothing changes, where the new default cannot be used", async () => {
    const { daemon } = suite;
    assert.match(await reload("other", { other: runc }), /reload completed/);
    const said = await reload("gone", { other: runc, gone: "/no/such/runc" });
    assert.match(said, /reload failed.*default_runtime = .*gone.* cannot be used: \/no\/such\/runc is not installed/);
    const pod = await runPod(daemon, "refused");
    assert.equal(await handlerOf(await service(pod)), "other");
    await remove(pod);
  });

  it("leaves a handler that is gone to the pods it runs, until the daemon ends, and to no others", async () => {
    const { daemon, busybox } = suite;
    assert.match(await reload("runc", { other: runc }), /reload completed/);
    const pod = await runPod(daemon, "of-other", {}, "other");
    const id = await service(pod);
    assert.match(await reload("runc", {}), /reload completed/);
    await assert.rejects(
      runPod(daemon, "late", {}, "other"),
      /INVALID_ARGUMENT.*no runtime handler "other" is configured/,
    );
    assert.equal((await exec(daemon, id, ["echo", "still", "here"])).stdout, "still here\n");
    const second = await runContainer(daemon, pod, containerConfig(busybox, "second", untilTerminated));
    assert.equal(await handlerOf(second), "other");
    await remove(pod);
  });

  it("does not make the pods stay whose handler no daemon knows any more", async () => {
    const { daemon } = suite;
    assert.match(await reload("runc", { other: runc }), /reload completed/);
    const pod = await runPod(daemon, "orphan", {}, "other");
    const id = await service(pod);
    await daemon.kill("SIGTERM");
    await configure("runc", {});
    await daemon.start();
    await remove(pod);
    assert.match(daemon.log(), new RegExp(`what the runtime has of an ended container stays.*${id}`));
    const root = path.join(daemon.places.runroot, "other");
    for (const left of [id, pod.id]) execFileSync(runc, ["--root", root, "delete", "--force", left]);
  });
});
