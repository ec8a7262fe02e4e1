import { closeSync, constants, openSync, readFile, write } from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import type { Hierarchy } from "./hierarchy.ts";

// Probes make this run all the time: the interface with promises costs five times as much.
const writeTo = promisify(write);
const read = promisify(readFile);

/** Below what a grace period of RCU lasts, after which the kernel makes the next mover wait again. */
const repeatMs = 10;

/** How long it is believed that this process is in the group that it was in. */
const groupKnownMs = 1000;

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
        // Asked again and again: whoever moves this process elsewhere must not find it moved back.
        // Not on this thread: older kernels hold the same lock for it.
        const file = ownProcessesFile(this.#hierarchy, await read(this.#selfGroups, "utf8"));
        if (file === undefined) return;
        await this.#takeRepeatedly(file, performance.now() + groupKnownMs);
      }
    } catch {
      // Only time is lost.
    }
  }

  async #takeRepeatedly(file: string, untilMs: number): Promise<void> {
    const fd = openSync(file, constants.O_WRONLY);
    try {
      while (performance.now() < Math.min(this.#neededUntilMs, untilMs)) {
        await writeTo(fd, String(process.pid), 0);
        await pause(repeatMs);
      }
    } finally {
      closeSync(fd);
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
