import { execFileSync } from "node:child_process";
import { existsSync, rmdirSync, rmSync } from "node:fs";
import path from "node:path";
import { busyboxPath } from "./busybox.ts";
import { cgroupHierarchies, cgroupsBelow, mountsBelow, processesOf, type Territory } from "./footprint.ts";

/**
 * Takes away everything of a daemon that is not running any more: processes, mounts, cgroups, the bridge, folders.
 * Throws with what could not be taken away.
 */
export async function forceAway(territory: Territory): Promise<void> {
  forceAwayNow(territory);
}

/** The same without the event loop, for a process that is about to exit. */
export function forceAwayNow(territory: Territory): void {
  endAll(territory);
  rmSync(territory.folder, { recursive: true, force: true });
}

/** Ends what a reboot would end, and empties the folder that is on a tmpfs; files of the root stay. */
export function endAll(territory: Territory): void {
  for (const { pid } of processesOf(territory)) tryTo(() => process.kill(pid, "SIGKILL"));
  awaitNone(() => processesOf(territory).length);
  for (const place of mountsBelow(territory.folder).reverse()) {
    tryTo(() => execFileSync("umount", ["--lazy", place], { stdio: "ignore" }));
  }
  removeCgroups(territory.cgroupParent);
  if (existsSync(`/sys/class/net/${territory.bridge}`)) {
    execFileSync(busyboxPath(), ["ip", "link", "delete", territory.bridge]);
  }
  const mounts = mountsBelow(territory.folder);
  // Deleting through a mount would delete somebody else's files.
  if (mounts.length > 0) throw new Error(`still mounted: ${mounts.join(", ")}`);
  rmSync(territory.runroot, { recursive: true, force: true });
}

/** Without the event loop, because this also runs when the process is about to exit. */
function awaitNone(count: () => number): void {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (let looks = 0; count() > 0 && looks < 400; looks += 1) Atomics.wait(clock, 0, 0, 25);
}

function removeCgroups(parent: string): void {
  for (const folder of cgroupsBelow(parent).reverse()) tryTo(() => rmdirSync(folder));
  for (const hierarchy of cgroupHierarchies()) {
    const folder = path.join(hierarchy, parent);
    if (existsSync(folder)) tryTo(() => rmdirSync(folder));
  }
}

/** What is gone already, or goes with its parent, is no failure. */
function tryTo(action: () => void): void {
  try {
    action();
  } catch {
    // The caller looks at what is left.
  }
}
