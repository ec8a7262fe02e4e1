import { mkdir } from "node:fs/promises";
import path from "node:path";
import { moveInto, removeOnceEmpty } from "./group-files.ts";
import { groupDirectories, groupDirectory } from "./hierarchy.ts";
import type { Hierarchy } from "./hierarchy.ts";

/** Controllers whose accounting a monitor should not escape. */
const monitorControllers = ["memory", "cpu", "pids"];

function monitorGroup(parent: string, containerId: string): string {
  return path.join(parent, `crio-conmon-${containerId}`);
}

/** Moves a monitor into a group of its own beside its container. Undone by `removeMonitorGroup`. */
export async function placeBesideContainer(
  hierarchy: Hierarchy,
  { parent, containerId }: { parent: string; containerId: string },
  pid: number,
): Promise<void> {
  const group = monitorGroup(parent, containerId);
  const directories = new Set(
    monitorControllers.flatMap((controller) => groupDirectory(hierarchy, controller, group) ?? []),
  );
  // One after the other: each waits for the kernel's lock on moves, and together they would hold all threads of Node's pool, while
  // the container's root file system is being made.
  for (const directory of directories) {
    await mkdir(directory, { recursive: true });
    await moveInto(directory, pid);
  }
}

/** `Cgroups.removeMonitorGroup`, also for a monitor that was placed elsewhere. */
export async function removeMonitorGroup(hierarchy: Hierarchy, parent: string, containerId: string): Promise<void> {
  await Promise.all(groupDirectories(hierarchy, monitorGroup(parent, containerId)).map(removeOnceEmpty));
}
