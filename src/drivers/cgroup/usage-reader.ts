import { access, readdir } from "node:fs/promises";
import path from "node:path";
import { findHierarchy, groupDirectory } from "./hierarchy.ts";
import type { Hierarchy } from "./hierarchy.ts";
import { groupPath, slicePath } from "./slice-path.ts";
import { allUsageParts, type CgroupHugetlb, type CgroupUsageReader } from "./usage.ts";
import { numberField, readFileOf, type UsageFiles } from "./usage-files.ts";
import { usageFilesV1 } from "./usage-v1.ts";
import { usageFilesV2 } from "./usage-v2.ts";

/** The reader for this machine's hierarchy, or for the one given. */
export function cgroupUsageReader(
  hierarchy: Hierarchy = findHierarchy(),
  options: { hugePageSizes?: () => Promise<string[]> } = {},
): CgroupUsageReader {
  const hugePageSizes = once(options.hugePageSizes ?? readHugePageSizes);

  async function filesOf(group: string): Promise<UsageFiles> {
    if (hierarchy.version === 1) {
      const directoryOf = (controller: string): string | undefined => groupDirectory(hierarchy, controller, group);
      const unified = once(() => usedUnified(directoryOf("unified")));
      return usageFilesV1(directoryOf, unified);
    }
    return usageFilesV2(await innermost(groupDirectory(hierarchy, "", group) ?? group));
  }

  return {
    async readUsage(cgroupPath, parts = allUsageParts) {
      const files = await filesOf(groupOf(cgroupPath));
      const wanted = new Set(parts);
      const [cpu, memory, memoryDetail, pressure, io, pids, hugetlb] = await Promise.all([
        wanted.has("cpu") ? files.cpu(wanted.has("cpu-detail")) : undefined,
        wanted.has("memory") ? files.memory(wanted.has("memory-detail")) : undefined,
        wanted.has("memory-detail") ? files.memoryDetail() : undefined,
        wanted.has("pressure") ? files.pressure() : undefined,
        wanted.has("io") ? files.io() : undefined,
        wanted.has("pids") ? files.pids() : undefined,
        wanted.has("hugetlb") ? hugePageSizes().then((sizes) => hugetlbOf(files, sizes)) : undefined,
      ]);
      const counted = { cpu, ...nothing, ...memory, memoryDetail, pressure, io, pids, hugetlb };
      if (Object.values(counted).every((part) => part === undefined)) return undefined;
      return { timestampNs: BigInt(Date.now()) * 1_000_000n, ...counted };
    },

    async readProcesses(cgroupPath) {
      const group = groupOf(cgroupPath);
      const directory =
        hierarchy.version === 2
          ? await innermost(groupDirectory(hierarchy, "", group) ?? group)
          : (groupDirectory(hierarchy, "pids", group) ?? groupDirectory(hierarchy, "memory", group));
      const text = (await readFileOf(directory, "cgroup.procs")) ?? "";
      // A process that this PID namespace cannot see is listed as 0.
      return text.split("\n").map(Number).filter(Boolean);
    },
  };
}

const nothing = { memory: undefined, swap: undefined };

/** Parents are paths or slices, containers' groups paths or scopes. */
function groupOf(cgroupPath: string): string {
  return cgroupPath.endsWith(".slice") ? slicePath(cgroupPath) : groupPath(cgroupPath);
}

/** Not every runtime puts processes into a unified hierarchy beside the controllers: a group without any counts nothing. */
async function usedUnified(directory: string | undefined): Promise<UsageFiles | undefined> {
  const events = await readFileOf(directory, "cgroup.events");
  return directory !== undefined && numberField(events, "populated") === 1 ? usageFilesV2(directory) : undefined;
}

/** crun puts the container into a group `container` of its own below the one it was told, so that systemd leaves it alone. */
async function innermost(directory: string): Promise<string> {
  const nested = path.join(directory, "container");
  return access(nested).then(
    () => nested,
    () => directory,
  );
}

async function hugetlbOf(files: UsageFiles, pageSizes: readonly string[]): Promise<CgroupHugetlb[] | undefined> {
  const all = await Promise.all(pageSizes.map((pageSize) => files.hugetlb(pageSize)));
  const counted = all.filter((one) => one !== undefined);
  return counted.length === 0 ? undefined : counted;
}

/** Page sizes of this machine as the files of the hugetlb controller have them: `2MB` for `hugepages-2048kB`. */
async function readHugePageSizes(): Promise<string[]> {
  const directories = await readdir("/sys/kernel/mm/hugepages").catch(() => []);
  return directories.flatMap((name) => {
    const kibibytes = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1]);
    if (!Number.isFinite(kibibytes)) return [];
    if (kibibytes >= 1024 ** 2) return [`${kibibytes / 1024 ** 2}GB`];
    return kibibytes >= 1024 ? [`${kibibytes / 1024}MB`] : [`${kibibytes}KB`];
  });
}

function once<T>(start: () => Promise<T>): () => Promise<T> {
  let value: Promise<T> | undefined;
  return () => (value ??= start());
}
