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

  /** Changes crio.conf by `change`, tells the daemon, and resolves with what its log says of it. */
  async function reload(change: (text: string) => string): Promise<string> {
    const { daemon } = suite;
    const before = daemon.log().length;
    const { configFile } = daemon.places;
    await writeFile(configFile, change(await readFile(configFile, "utf8")));
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
    const { runroot } = daemon.places;
    const said = await reload(
      (text) =>
        `${text.replace('default_runtime = "runc"', 'default_runtime = "other"')}
[crio.runtime.runtimes.other]
runtime_path = "${findProgram("runc")}"
runtime_root = "${path.join(runroot, "other")}"
monitor_path = "${findProgram("conmon")}"
monitor_cgroup = "pod"
`,
    );
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
    const gone = '[crio.runtime.runtimes.gone]\nruntime_path = "/no/such/runc"\n';
    const said = await reload(
      (text) => `${text.replace('default_runtime = "other"', 'default_runtime = "gone"')}\n${gone}`,
    );
    assert.match(said, /reload failed.*default_runtime = .*gone.* cannot be used: \/no\/such\/runc is not installed/);
    const pod = await runPod(daemon, "refused");
    assert.equal(await handlerOf(await service(pod)), "other");
    await remove(pod);
  });

  it("leaves a handler that is gone to the pods it runs, until the daemon ends, and to no others", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "of-other");
    const id = await service(pod);
    const said = await reload((text) =>
      text
        .replace('default_runtime = "gone"', 'default_runtime = "runc"')
        .replace("[crio.runtime.runtimes.other]", "[crio.runtime.runtimes.another]"),
    );
    assert.match(said, /reload completed/);
    await assert.rejects(runPod(daemon, "late", {}, "other"), /INVALID_ARGUMENT.*there are crun, runc, another/);
    assert.equal((await exec(daemon, id, ["echo", "still", "here"])).stdout, "still here\n");
    const second = await runContainer(daemon, pod, containerConfig(busybox, "second", untilTerminated));
    assert.equal(await handlerOf(second), "other");
    await remove(pod);
  });

  it("does not make the pods stay whose handler no daemon knows any more", async () => {
    const { daemon } = suite;
    const { configFile, runroot } = daemon.places;
    const pod = await runPod(daemon, "orphan", {}, "another");
    const id = await service(pod);
    await daemon.kill("SIGTERM");
    const text = await readFile(configFile, "utf8");
    await writeFile(configFile, text.replace("[crio.runtime.runtimes.another]", "[crio.runtime.runtimes.yet-another]"));
    await daemon.start();
    await remove(pod);
    assert.match(daemon.log(), new RegExp(`what the runtime has of an ended container stays.*${id}`));
    for (const left of [id, pod.id])
      execFileSync(findProgram("runc") ?? "", ["--root", path.join(runroot, "other"), "delete", "--force", left]);
  });
});
