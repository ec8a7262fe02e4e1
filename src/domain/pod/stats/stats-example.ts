import { noRecords } from "#domain/entity/no-records.ts";
import { ContainerStore } from "#domain/container/container-store.ts";
import type { Container } from "#domain/container/container.ts";
import { exampleContainerRequest, exampleSandboxRequest } from "#domain/container/request-example.ts";
import { SandboxStore } from "#domain/sandbox/sandbox-store.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import type { CgroupUsage, CgroupUsageReader, UsagePart } from "#drivers/cgroup/usage.ts";
import { silentLogger } from "#observability/logger.ts";
import type { StatsDrivers } from "./stats-drivers.ts";

// Pods, containers and their usage for tests.

export function exampleSandbox(changes: Partial<Sandbox> = {}): Sandbox {
  return {
    version: 1,
    id: "pod1",
    request: exampleSandboxRequest(),
    runtimeHandler: "",
    createdAtNs: "1700000000000000000",
    bootId: "boot",
    state: { kind: "ready" },
    hostname: "web",
    namespaces: { net: "/run/netns/pod1" },
    files: { resolvConf: "", hostname: "" },
    cgroupParent: "/kubepods/pod1",
    ips: [],
    selinuxLevel: "",
    ...changes,
  };
}

export function exampleContainer(id: string, changes: Partial<Container> = {}): Container {
  return {
    version: 1,
    id,
    sandboxId: "pod1",
    request: exampleContainerRequest({ metadata: { name: id, attempt: 0 } }),
    runtimeHandler: "runc",
    createdAtNs: "1700000001000000000",
    bootId: "boot",
    state: { kind: "running", startedAtNs: "1700000002000000000" },
    imageId: "",
    imageRef: "",
    logPath: "",
    mounts: [],
    user: { uid: 0, gid: 0, supplementalGroups: [] },
    stopSignal: "SIGTERM",
    resources: undefined,
    cgroupsPath: `/kubepods/pod1/crio-${id}`,
    privileged: false,
    ...changes,
  };
}

export const exited: Container["state"] = {
  kind: "exited",
  startedAtNs: "1700000002000000000",
  exit: { exitCode: 0, finishedAtNs: "1700000003000000000", reason: "Completed", message: "" },
};

/** A group with numbers that can be told apart; `changes` replace whole parts. */
export function exampleUsage(changes: Partial<CgroupUsage> = {}): CgroupUsage {
  const line = { totalUs: 2_500_000, avg10: 1, avg60: 2, avg300: 3 };
  const pressure = { some: line, full: { ...line, totalUs: 1_000_000 } };
  return {
    timestampNs: 1_700_000_010_000_000_000n,
    cpu: {
      usageNs: 12_000_000_000n,
      userNs: 7_900_000_000n,
      systemNs: 4_100_000_000n,
      periods: 10,
      throttledPeriods: 2,
      throttledNs: 3_000_000_000n,
    },
    memory: {
      usageBytes: 1000,
      workingSetBytes: 800,
      rssBytes: 500,
      cacheBytes: 400,
      mappedFileBytes: 40,
      kernelBytes: 30,
      pageFaults: 20,
      majorPageFaults: 2,
      limitBytes: 2000,
    },
    memoryDetail: { maxUsageBytes: 1500, limitHits: 4, oomKills: 1 },
    swap: { usageBytes: 10, limitBytes: 100 },
    pressure: { cpu: pressure, memory: pressure, io: pressure },
    io: [{ major: 8, minor: 0, readBytes: 100, writtenBytes: 200, reads: 3, writes: 4 }],
    pids: { tasks: 6, maxTasks: undefined },
    hugetlb: [{ pageSize: "2MB", usageBytes: 4096, maxUsageBytes: 8192 }],
    ...changes,
  };
}

/** Groups by path, of which only the parts asked for are read. */
function fakeUsage(groups: ReadonlyMap<string, CgroupUsage>): CgroupUsageReader {
  return {
    readUsage(group, parts) {
      const usage = groups.get(group);
      return Promise.resolve(usage === undefined || parts === undefined ? usage : onlyParts(usage, parts));
    },
    readProcesses: (group) => Promise.resolve(groups.has(group) ? [101, 102] : []),
  };
}

function onlyParts(usage: CgroupUsage, parts: readonly UsagePart[]): CgroupUsage {
  const has = (part: UsagePart): boolean => parts.includes(part);
  return {
    timestampNs: usage.timestampNs,
    cpu: has("cpu") ? usage.cpu : undefined,
    memory: has("memory") ? usage.memory : undefined,
    swap: has("memory") ? usage.swap : undefined,
    memoryDetail: has("memory-detail") ? usage.memoryDetail : undefined,
    pressure: has("pressure") ? usage.pressure : undefined,
    io: has("io") ? usage.io : undefined,
    pids: has("pids") ? usage.pids : undefined,
    hugetlb: has("hugetlb") ? usage.hugetlb : undefined,
  };
}

const netDev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     999       9    0    0    0     0          0         0      999       9    0    0    0     0       0          0
  net1:      11      12   13   14    0     0          0         0       15      16   17   18    0     0       0          0
  eth0:    1000      10    1    2    0     0          0         0     2000      20    3    4    0     0       0          0
`;

/** A node with one pod of two containers, `a` running and `b` exited; everything on it can be changed by the test. */
export function exampleNode() {
  const sandboxes = new SandboxStore(noRecords());
  const containers = new ContainerStore(noRecords());
  sandboxes.adopt(exampleSandbox());
  containers.adopt(exampleContainer("a"));
  containers.adopt(exampleContainer("b", { state: exited }));
  const groups = new Map([
    ["/kubepods/pod1", exampleUsage({ pids: { tasks: 8, maxTasks: undefined } })],
    ["/kubepods/pod1/crio-a", exampleUsage()],
  ]);
  const layers = new Map([
    ["a", { usedBytes: 4096, inodesUsed: 3 }],
    ["b", { usedBytes: 8192, inodesUsed: 5 }],
  ]);
  const measured: string[] = [];
  const drivers: StatsDrivers = {
    sandboxes,
    containers,
    usage: fakeUsage(groups),
    node: {
      processUsage: (pids) =>
        Promise.resolve({ processes: pids.length, fileDescriptors: 12, sockets: 5, softOpenFilesLimit: 1024 }),
      filesystemCapacity: () => Promise.resolve({ totalBytes: 1_000_000, inodesTotal: 5000, inodesFree: 4000 }),
    },
    storage: {
      containerRoot: "/var/lib/berth/containers",
      rootfsUsage(id) {
        measured.push(id);
        const usage = layers.get(id);
        return usage === undefined ? Promise.reject(new Error(`no root of ${id}`)) : Promise.resolve(usage);
      },
    },
    readInNetns: () => Promise.resolve(netDev),
    logger: silentLogger,
  };
  return { drivers, sandboxes, containers, groups, layers, measured };
}
