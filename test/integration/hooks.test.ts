import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { eventually } from "../support/eventually.ts";
import { useDaemon } from "../support/fixture.ts";
import { containerConfig, removePod, runPod, runToEnd } from "../support/pods.ts";
import { cannotRunPods } from "../support/requirements.ts";

describe("OCI hooks", { skip: cannotRunPods() }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), "berth-hooks-"));
  after(() => rmSync(folder, { recursive: true }));
  const directory = path.join(folder, "hooks.d");
  mkdirSync(directory);
  const suite = useDaemon((registry) => ({
    config: {
      "crio.image": `pause_image = "${registry.host}/test/pause:1"`,
      "crio.runtime": `hooks_dir = ["${directory}"]`,
    },
  }));

  /** A hook that writes the state that the runtime gives it into a file named after its stage. */
  function writeHook(name: string, when: object, stages: string[]): string {
    const output = path.join(folder, name);
    const args = ["sh", "-c", `cat > ${output}`];
    writeFileSync(
      path.join(directory, `${name}.json`),
      JSON.stringify({ version: "1.0.0", hook: { path: "/bin/sh", args, env: ["PATH=/bin:/usr/bin"] }, when, stages }),
    );
    return output;
  }

  it("run at their stages for the containers that they are meant for, as soon as their file is there", async () => {
    const { daemon, busybox } = suite;
    const made = writeHook("made", { commands: ["^sh$"] }, ["createRuntime"]);
    const stopped = writeHook("stopped", { annotations: { "^hooked$": "^yes$" } }, ["poststop"]);
    const pod = await runPod(daemon, "hooked", { annotations: { hooked: "yes" } });
    const { id } = await runToEnd(daemon, pod, containerConfig(busybox, "app", ["sh", "-c", "true"]));
    const state = JSON.parse(readFileSync(made, "utf8")) as { id: string; annotations: Record<string, string> };
    assert.equal(state.id, id);
    await eventually("the hook of the end", () => (existsSync(stopped) ? true : undefined));

    rmSync(made);
    await runToEnd(daemon, pod, containerConfig(busybox, "other", ["true"]));
    assert.equal(existsSync(made), false);
    await removePod(daemon, pod.id);
  });

  it("that fail keep their container from being made, and say why", async () => {
    const { daemon, busybox } = suite;
    const file = {
      version: "1.0.0",
      hook: { path: "/bin/false" },
      when: { commands: ["doomed"] },
      stages: ["prestart"],
    };
    writeFileSync(path.join(directory, "failing.json"), JSON.stringify(file));
    const pod = await runPod(daemon, "doomed");
    const before = daemon.footprint();
    await eventually("the hook to be known", async () => {
      const attempt = runToEnd(daemon, pod, containerConfig(busybox, "app", ["/bin/doomed"]));
      return await attempt.then(
        () => undefined,
        (error: unknown) => (/hook/.test(String(error)) ? true : undefined),
      );
    });
    await daemon.holdsNoMoreThan(before);
    await removePod(daemon, pod.id);
  });
});
