import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, rmdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, it } from "node:test";
import { findHierarchy, groupDirectory } from "#drivers/cgroup/hierarchy.ts";
import type { Hierarchy } from "#drivers/cgroup/hierarchy.ts";
import { cgroupUsageReader } from "#drivers/cgroup/usage-reader.ts";
import { procNodeStats } from "#drivers/node-stats/proc-node-stats.ts";
import { spawn } from "#kernel/spawn.ts";
import { eventually } from "../support/eventually.ts";

const skip = process.getuid?.() === 0 ? false : "needs root";

/** The unified hierarchy, which many machines with version 1 mount beside the controllers. */
const unified = "/sys/fs/cgroup/unified";

interface Group extends AsyncDisposable {
  readonly name: string;
  pid: number;
}

const controllers = ["", "memory", "cpu", "cpuacct", "blkio", "pids", "unified"];

/** A group of its own with one busy process in it; both are gone afterwards. */
async function busyGroup(hierarchy: Hierarchy): Promise<Group> {
  const name = `/berth-usage-test-${process.pid}`;
  const directories = new Set(controllers.flatMap((controller) => groupDirectory(hierarchy, controller, name) ?? []));
  await using undo = new AsyncDisposableStack();
  for (const directory of directories) {
    await mkdir(directory);
    undo.defer(() => removeGroup(directory));
  }
  const child = await spawn(["/bin/sh", "-c", "while :; do :; done"]);
  undo.defer(async () => {
    child.kill("SIGKILL");
    await child.exited;
  });
  for (const directory of directories) await writeFile(path.join(directory, "cgroup.procs"), String(child.pid));
  const owned = undo.move();
  return { name, pid: child.pid, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** A process may be reaped a moment before its group lets go of it. */
async function removeGroup(directory: string): Promise<void> {
  const removed = (): Promise<true | undefined> =>
    rmdir(directory).then(
      () => true as const,
      () => undefined,
    );
  await eventually(`removing ${directory}`, removed);
}

describe("usage of a real group", { skip }, () => {
  it("grows while its process works, and is gone with the group", async () => {
    const reader = cgroupUsageReader();
    let name: string;
    {
      await using group = await busyGroup(findHierarchy());
      name = group.name;
      assert.deepEqual(await reader.readProcesses(name), [group.pid]);
      const before = await reader.readUsage(name);
      assert.ok(before?.cpu !== undefined && before.memory !== undefined);
      const { usageNs } = before.cpu;
      const later = await eventually("CPU time that grows", async () => {
        const usage = await reader.readUsage(name);
        return (usage?.cpu?.usageNs ?? 0n) > usageNs ? usage : undefined;
      });
      assert.ok(later.memory !== undefined && later.memory.workingSetBytes <= later.memory.usageBytes);
      assert.equal(later.memory.limitBytes, undefined);
      assert.equal(later.pids?.tasks, 1);
      const { version, mountPoints } = findHierarchy();
      if (existsSync("/proc/pressure/cpu") && (version === 2 || mountPoints.has("unified")))
        assert.equal(typeof later.pressure?.cpu?.some.totalUs, "number");
      assert.equal(later.memoryDetail?.oomKills, 0);

      const processes = await procNodeStats().processUsage([group.pid]);
      assert.ok(processes.fileDescriptors >= 3);
      assert.equal(processes.processes, 1);
    }
    assert.equal(await reader.readUsage(name), undefined);
  });

  it(
    "has CPU time and pressure in a unified hierarchy",
    { skip: !existsSync(unified) && `no ${unified}` },
    async () => {
      const hierarchy: Hierarchy = { version: 2, mountPoints: new Map([["", unified]]) };
      const reader = cgroupUsageReader(hierarchy);
      await using group = await busyGroup(hierarchy);
      const usage = await eventually("CPU time that grows", async () => {
        const read = await reader.readUsage(group.name);
        return (read?.cpu?.usageNs ?? 0n) > 0n ? read : undefined;
      });
      assert.equal(typeof usage.cpu?.userNs, "bigint");
      // Without the memory controller nothing is known of memory.
      assert.equal(usage.memory, undefined);
      if (existsSync("/proc/pressure/cpu")) assert.equal(typeof usage.pressure?.cpu?.some.totalUs, "number");
    },
  );
});
