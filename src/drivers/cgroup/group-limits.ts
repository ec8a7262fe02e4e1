import { writeFile } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { readOrEmpty } from "./group-files.ts";
import { groupDirectory } from "./hierarchy.ts";
import type { Hierarchy } from "./hierarchy.ts";
import type { GroupLimits } from "./index.ts";
import { limitFiles } from "./limit-files.ts";

/** What counts as no memory limit on version 1: the kernel's page counter at its largest. */
const unlimitedV1Bytes = 2 ** 62;

/** `Cgroups.setLimits` for a group given by its path. */
export async function writeLimits(hierarchy: Hierarchy, group: string, limits: GroupLimits): Promise<void> {
  await refuseBelowUsage(hierarchy, group, limits.memoryLimitBytes);
  for (const { controller, name, value } of limitFiles(hierarchy.version, limits)) {
    if (name.includes("/")) throw new DomainError("invalid-argument", `${name} is no file of a cgroup`);
    const directory = groupDirectory(hierarchy, controller, group);
    if (directory === undefined) continue;
    const file = path.join(directory, name);
    try {
      await writeFile(file, value);
    } catch (error) {
      // The group is there, but the controller was not handed down to it.
      if (hasErrno(error, "ENOENT", "EACCES")) continue;
      const kind = hasErrno(error, "EBUSY") ? "failed-precondition" : "invalid-argument";
      throw new DomainError(kind, `${file} cannot be set to ${value}: ${messageOf(error)}`, { cause: error });
    }
  }
}

/**
 * `Cgroups.checkMemoryLimit` for a group given by its path. On version 2 the kernel takes a limit below what is in use and kills. What it
 * can drop at once, pages of files that nobody used lately, does not count.
 */
export async function refuseBelowUsage(hierarchy: Hierarchy, group: string, limitBytes: number): Promise<void> {
  const directory = groupDirectory(hierarchy, "memory", group);
  if (limitBytes <= 0 || directory === undefined) return;
  const [usage, stat] = await Promise.all([
    readOrEmpty(path.join(directory, hierarchy.version === 2 ? "memory.current" : "memory.usage_in_bytes")),
    readOrEmpty(path.join(directory, "memory.stat")),
  ]);
  const inactive = hierarchy.version === 2 ? /^inactive_file (\d+)$/m : /^total_inactive_file (\d+)$/m;
  const usageBytes = Number(usage) - Number(inactive.exec(stat)?.[1] ?? 0);
  if (usageBytes <= limitBytes) return;
  throw new DomainError(
    "failed-precondition",
    `the memory limit of ${group} cannot be ${limitBytes} bytes: ${usageBytes} bytes are in use`,
  );
}

/** `Cgroups.limited` for a group given by its path. */
export async function readLimited(hierarchy: Hierarchy, group: string): Promise<{ cpu: boolean; memory: boolean }> {
  const read = async (controller: string, name: string): Promise<string> => {
    const directory = groupDirectory(hierarchy, controller, group);
    return directory === undefined ? "" : (await readOrEmpty(path.join(directory, name))).trim();
  };
  if (hierarchy.version === 2) {
    const [cpu, memory] = await Promise.all([read("cpu", "cpu.max"), read("memory", "memory.max")]);
    return { cpu: cpu !== "" && !cpu.startsWith("max"), memory: memory !== "" && memory !== "max" };
  }
  const [quota, limit] = await Promise.all([read("cpu", "cpu.cfs_quota_us"), read("memory", "memory.limit_in_bytes")]);
  return { cpu: Number(quota) > 0, memory: limit !== "" && Number(limit) < unlimitedV1Bytes };
}
