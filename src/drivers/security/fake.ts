import { DomainError } from "#errors/domain-error.ts";
import { allCapabilities } from "#spec/capabilities.ts";
import type { Cdi, CdiEdits, HostDevice, HostFacts, MountSource, Security, SelinuxLevels } from "./index.ts";

/** A roomy machine: cgroup v2 with all controllers, every capability, seccomp, no AppArmor, no SELinux. */
export function exampleHostFacts(changes: Partial<HostFacts> = {}): HostFacts {
  return {
    architecture: "amd64",
    kernelRelease: "6.1.0-13-amd64",
    capabilities: { known: [...allCapabilities], bounding: [...allCapabilities], effective: [...allCapabilities] },
    oomScoreAdj: -999,
    rlimits: { RLIMIT_NOFILE: { soft: 1024, hard: 1_048_576 } },
    cgroup: { version: 2, controllers: ["cpu", "cpuset", "memory", "pids", "io", "hugetlb"], hasMemorySwap: true },
    seccomp: { enabled: true },
    apparmor: { enabled: false },
    selinux: {
      enabled: false,
      processLabel: "system_u:system_r:container_t:s0",
      fileLabel: "system_u:object_r:container_file_t:s0",
      kvmProcessLabel: "system_u:system_r:container_kvm_t:s0",
      initProcessLabel: "system_u:system_r:container_init_t:s0",
    },
    ...changes,
  };
}

/** Security in memory for domain tests: what is put into its maps exists; `calls` holds `<operation> <path>` in order. */
export class FakeSecurity implements Security {
  readonly facts: HostFacts;
  readonly calls: string[] = [];
  readonly devices = new Map<string, HostDevice[]>();
  readonly mountSources = new Map<string, MountSource>();
  readonly seccompProfiles = new Map<string, string>();
  readonly apparmorProfiles = new Set<string>();
  readonly cdiDevices = new Map<string, CdiEdits>();

  constructor(facts: Partial<HostFacts> = {}) {
    this.facts = exampleHostFacts(facts);
  }

  hostDevices(): Promise<HostDevice[]> {
    return Promise.resolve([...this.devices.values()].flat());
  }

  async devicesAt(hostPath: string): Promise<HostDevice[]> {
    return this.devices.get(hostPath) ?? missing(`the device ${hostPath}`);
  }

  /** What nobody put in is a directory, as if it had been made. */
  async mountSource({ hostPath }: { hostPath: string }): Promise<MountSource> {
    this.calls.push(`mountSource ${hostPath}`);
    const made: MountSource = { path: hostPath, isDirectory: true, mountPoint: "/", propagation: "shared" };
    return this.mountSources.get(hostPath) ?? made;
  }

  async readSeccompProfile(localhostRef: string): Promise<string> {
    return this.seccompProfiles.get(localhostRef) ?? missing(`the seccomp profile ${localhostRef}`);
  }

  async isApparmorProfileLoaded(name: string): Promise<boolean> {
    return this.apparmorProfiles.has(name);
  }

  async defaultApparmorProfile(name: string): Promise<string> {
    this.apparmorProfiles.add(name);
    return name;
  }

  async checkSelinuxLabel(label: string): Promise<void> {
    this.calls.push(`checkSelinuxLabel ${label}`);
  }

  async relabel(path: string, label: string, { shared }: { shared: boolean }): Promise<void> {
    this.calls.push(`relabel ${path} ${label}${shared ? " shared" : ""}`);
  }

  readonly selinux: SelinuxLevels = new CountingLevels();

  readonly cdi: Cdi = {
    refresh: async () => {},
    problems: () => [],
    resolve: async (names) => {
      const edits = names.map((name) => this.cdiDevices.get(name) ?? missing(`the CDI device ${name}`));
      return {
        env: edits.flatMap((edit) => edit.env),
        mounts: edits.flatMap((edit) => edit.mounts),
        devices: edits.flatMap((edit) => edit.devices),
        hooks: edits.flatMap((edit) => edit.hooks),
        additionalGids: edits.flatMap((edit) => edit.additionalGids),
        intelRdtClosId: edits.find((edit) => edit.intelRdtClosId !== undefined)?.intelRdtClosId,
      };
    },
  };
}

/** `s0:c0,c1`, `s0:c0,c2`, ... */
class CountingLevels implements SelinuxLevels {
  readonly used = new Set<string>();
  #next = 0;

  allocate(): string {
    this.#next += 1;
    const level = `s0:c0,c${this.#next}`;
    this.used.add(level);
    return level;
  }

  reserve(level: string): void {
    this.used.add(level);
  }

  release(level: string): void {
    this.used.delete(level);
  }
}

function missing(what: string): never {
  throw new DomainError("not-found", `${what} does not exist on this node`);
}
