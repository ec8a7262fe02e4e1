import path from "node:path";
import { killGroup, readOrEmpty } from "./group-files.ts";
import { groupDirectory } from "./hierarchy.ts";
import type { Hierarchy } from "./hierarchy.ts";

/** `Cgroups.oomKills` for a group given by its path. */
export async function oomKills(hierarchy: Hierarchy, group: string): Promise<number | undefined> {
  const directory = groupDirectory(hierarchy, "memory", group);
  if (directory === undefined) return 0;
  const text = await readOrEmpty(
    path.join(directory, hierarchy.version === 2 ? "memory.events" : "memory.oom_control"),
  );
  if (text === "") return undefined;
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}

/** `Cgroups.killAll` for a group given by its path. */
export async function killAll(hierarchy: Hierarchy, group: string): Promise<void> {
  const directory = groupDirectory(hierarchy, "pids", group) ?? groupDirectory(hierarchy, "memory", group);
  if (directory !== undefined) await killGroup(directory, hierarchy.version);
}
