import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Hierarchy } from "./hierarchy.ts";

/** Well below what a grace period of RCU lasts, after which the kernel makes the next mover wait again. */
const repeatMs = 6;

/**
 * The kernel's lock on moves of processes between groups. Forks and exits share it without cost, and so the first move after a
 * while waits for a grace period of RCU, 5 to 15 ms, while those that follow at once do not. An OCI runtime begins each `create`
 * and each `exec` with such a move. Taking the lock ahead of it, with a move of our own process to where it is already, lets that
 * wait pass while the runtime is still being started; nothing else changes by it.
 */
export class MigrationLock {
  readonly #hierarchy: Hierarchy;
  readonly #selfGroups: string;
  #neededUntilMs = 0;
  #work: Promise<void> | undefined;

  /** @param selfGroups like `/proc/self/cgroup` */
  constructor(hierarchy: Hierarchy, selfGroups = "/proc/self/cgroup") {
    this.#hierarchy = hierarchy;
    this.#selfGroups = selfGroups;
  }

  /** Keeps the lock quick for moves in the next milliseconds. Returns at once; where we may not move ourselves, nothing happens. */
  expectMoves(forMs: number): void {
    this.#neededUntilMs = Math.max(this.#neededUntilMs, performance.now() + forMs);
    this.#work ??= this.#keepQuick().finally(() => {
      this.#work = undefined;
    });
  }

  /** Resolves once nothing is written any more. */
  async settled(): Promise<void> {
    await this.#work;
  }

  async #keepQuick(): Promise<void> {
    try {
      while (performance.now() < this.#neededUntilMs) {
        // Asked each time: whoever moves this process elsewhere must not find it moved back.
        const file = ownProcessesFile(this.#hierarchy, await readFile(this.#selfGroups, "utf8"));
        if (file === undefined) return;
        await writeFile(file, String(process.pid), { flag: "r+" });
        await pause(repeatMs);
      }
    } catch {
      // Only time is lost.
    }
  }
}

/** cgroup.procs of the group that a process is in, by its `/proc/PID/cgroup`; on version 1 in any one hierarchy. */
function ownProcessesFile({ version, mountPoints }: Hierarchy, groups: string): string | undefined {
  for (const line of groups.split("\n")) {
    const [, controllers, group] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || group === undefined) continue;
    const controller = controllers.split(",").find((name) => mountPoints.has(name));
    if (version === 2 ? controllers !== "" : controller === undefined) continue;
    const mountPoint = mountPoints.get(controller ?? "");
    if (mountPoint !== undefined) return path.join(mountPoint, group, "cgroup.procs");
  }
  return undefined;
}
