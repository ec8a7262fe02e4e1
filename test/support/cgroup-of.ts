import { readFileSync, statfsSync } from "node:fs";
import path from "node:path";
import { RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import type { TestDaemon } from "./daemon.ts";

const root = "/sys/fs/cgroup";
const cgroup2Magic = 0x63677270;

export const cgroupVersion: 1 | 2 = statfsSync(root).type === cgroup2Magic ? 2 : 1;

/** Path of a process's cgroup below the hierarchy of a controller; version 2 has one hierarchy for all. */
export function cgroupOf(pid: number, controller: string): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  const line =
    cgroupVersion === 2
      ? lines.find(([id]) => id === "0")
      : lines.find(([, controllers = ""]) => controllers.split(",").includes(controller));
  return line?.slice(2).join(":") ?? "";
}

/** As `cgroupOf` for a container's process: the group that berth named, without the one below it that crun makes. */
export function containerGroupOf(pid: number, controller: string): string {
  return cgroupOf(pid, controller).replace(/\/container$/, "");
}

/** Absolute path of a file of a group. */
export function cgroupFile(controller: string, group: string, name: string): string {
  return cgroupVersion === 2 ? path.join(root, group, name) : path.join(root, controller, group, name);
}

export function readCgroupFile(controller: string, group: string, name: string): string {
  return readFileSync(cgroupFile(controller, group, name), "utf8").trim();
}

/** True when containers can be limited by this controller. */
export function hasController(controller: string): boolean {
  const names =
    cgroupVersion === 2
      ? readFileSync(path.join(root, "cgroup.controllers"), "utf8").trim().split(" ")
      : readFileSync("/proc/self/cgroup", "utf8")
          .split("\n")
          .flatMap((line) => (line.split(":")[1] ?? "").split(","));
  return names.includes(controller);
}

/** Pid of a running container's first process, from its verbose status. */
export async function containerPid(daemon: TestDaemon, containerId: string): Promise<number> {
  const { info } = await daemon.client.call(RuntimeService.method.containerStatus, { containerId, verbose: true });
  const { pid } = JSON.parse(info["info"] ?? "{}") as { pid: number };
  return pid;
}
