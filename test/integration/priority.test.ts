import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import os from "node:os";
import { describe, it } from "node:test";
import { containerPid } from "../support/cgroup-of.ts";
import { useDaemon } from "../support/fixture.ts";
import { containerConfig, exec, removePod, runContainer, runPod, untilTerminated } from "../support/pods.ts";
import { cannotRunPods } from "../support/requirements.ts";

describe("the priority of the event loop", { skip: cannotRunPods() || cannotLowerNice() }, () => {
  const suite = useDaemon();

  it("is above that of all other threads and of all processes that berth starts", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "quick");
    const main = await runContainer(daemon, pod, containerConfig(busybox, "main", untilTerminated));
    const nices = niceOfThreads(daemon.pid ?? 0);
    assert.equal(os.getPriority(daemon.pid), -20);
    assert.deepEqual(nices.get("libuv-worker"), new Set([-10]));
    assert.deepEqual(nices.get("kernel"), new Set([0]));

    const container = await containerPid(daemon, main);
    const monitor = Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${container}/status`, "utf8"))?.[1]);
    assert.equal(os.getPriority(container), 0);
    assert.equal(os.getPriority(monitor), 0);
    const { stdout } = await exec(daemon, main, ["cat", "/proc/self/stat"]);
    // proc_pid_stat(5): the nineteenth field.
    assert.equal(stdout.split(" ")[18], "0");
    await removePod(daemon, pod.id);
  });
});

/** The nice values of a process's threads, by their names. */
function niceOfThreads(pid: number): Map<string, Set<number>> {
  const found = new Map<string, Set<number>>();
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    const name = readFileSync(`/proc/${pid}/task/${tid}/comm`, "utf8").trimEnd();
    found.set(name, (found.get(name) ?? new Set()).add(os.getPriority(Number(tid))));
  }
  return found;
}

function cannotLowerNice(): string | false {
  try {
    execFileSync("nice", ["-n", "-20", "true"], { stdio: ["ignore", "ignore", "pipe"] });
    const said = execFileSync("nice", ["-n", "-20", "nice"], { stdio: ["ignore", "pipe", "ignore"] }).toString();
    return said.trim() === "-20" ? false : "nice values cannot be lowered here (no CAP_SYS_NICE)";
  } catch {
    return "nice(1) is missing";
  }
}
