import { readdir, readFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileExists } from "#lib/file-exists.ts";
import type { CgroupFacts, HostFacts, SelinuxFacts } from "./index.ts";
import {
  capabilitySet,
  cgroupV1Controllers,
  knownCapabilities,
  parseContexts,
  parseLimits,
  statusField,
} from "./proc-files.ts";

/** `selinux` of the configuration; "auto" follows the kernel. */
export type SelinuxMode = "auto" | "true" | "false";

/** Reads everything once. `root` is put before all paths, for tests. */
export async function collectHostFacts(options: { selinux: SelinuxMode; root?: string }): Promise<HostFacts> {
  const files = new HostFiles(options.root ?? "");
  const status = await files.text("/proc/self/status");
  return {
    architecture: goArchitecture(),
    kernelRelease: os.release(),
    capabilities: {
      known: knownCapabilities(await files.text("/proc/sys/kernel/cap_last_cap")),
      bounding: capabilitySet(status, "CapBnd"),
      effective: capabilitySet(status, "CapEff"),
    },
    oomScoreAdj: Number((await files.text("/proc/self/oom_score_adj")).trim()),
    rlimits: parseLimits(await files.text("/proc/self/limits")),
    cgroup: await cgroupFacts(files),
    seccomp: {
      enabled: statusField(status, "Seccomp") !== undefined && (await files.exists("/proc/sys/kernel/seccomp")),
    },
    apparmor: { enabled: (await files.text("/sys/module/apparmor/parameters/enabled")).trim() === "Y" },
    selinux: await selinuxFacts(files, options.selinux),
  };
}

class HostFiles {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Empty when the file cannot be read: what the kernel does not have, it does not show. */
  async text(file: string): Promise<string> {
    return readFile(path.join(this.#root, file), "utf8").catch(() => "");
  }

  async exists(file: string): Promise<boolean> {
    return fileExists(path.join(this.#root, file));
  }

  async names(directory: string): Promise<string[]> {
    return readdir(path.join(this.#root, directory)).catch(() => []);
  }
}

function goArchitecture(): string {
  const names: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386", ppc64: "ppc64le" };
  return names[process.arch] ?? process.arch;
}

async function cgroupFacts(files: HostFiles): Promise<CgroupFacts> {
  const unified = await files.text("/sys/fs/cgroup/cgroup.controllers");
  const own = await files.text("/proc/self/cgroup");
  if (unified === "") {
    const hasMemorySwap = await files.exists("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes");
    return { version: 1, controllers: cgroupV1Controllers(own), hasMemorySwap };
  }
  return { version: 2, controllers: unified.trim().split(" "), hasMemorySwap: await countsSwap(files, own) };
}

/** The root cgroup has no limits, so the file is looked for in our own cgroup and in those below the root. */
async function countsSwap(files: HostFiles, own: string): Promise<boolean> {
  const ownPath =
    own
      .split("\n")
      .find((line) => line.startsWith("0::"))
      ?.slice(3) ?? "/";
  const candidates = [ownPath, ...(await files.names("/sys/fs/cgroup"))];
  for (const candidate of candidates)
    if (await files.exists(path.join("/sys/fs/cgroup", candidate, "memory.swap.max"))) return true;
  return false;
}

async function selinuxFacts(files: HostFiles, mode: SelinuxMode): Promise<SelinuxFacts> {
  // The table of mounts, since a policy that enforces may keep the daemon from looking into selinuxfs.
  const hasSelinux = / \/sys\/fs\/selinux selinuxfs /.test(await files.text("/proc/self/mounts"));
  const enabled = mode !== "false" && hasSelinux;
  const type = /^\s*SELINUXTYPE\s*=\s*(\S+)/m.exec(await files.text("/etc/selinux/config"))?.[1] ?? "targeted";
  const contexts = enabled
    ? parseContexts(await files.text(path.join("/etc/selinux", type, "contexts/lxc_contexts")))
    : {};
  return {
    enabled,
    processLabel: contexts["process"] ?? "system_u:system_r:container_t:s0",
    fileLabel: contexts["file"] ?? "system_u:object_r:container_file_t:s0",
    kvmProcessLabel: contexts["kvm_process"] ?? "system_u:system_r:container_kvm_t:s0",
    initProcessLabel: contexts["init_process"] ?? "system_u:system_r:container_init_t:s0",
  };
}
