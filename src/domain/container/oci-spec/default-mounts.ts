import path from "node:path";
import type { OciMount } from "#spec/oci-runtime.ts";

export interface DefaultMountInputs {
  /** /sys and the cgroups writable. */
  privileged: boolean;
  /** The cgroups writable for another reason: systemd in the container, or an annotation. */
  cgroupWritable: boolean;
  /** sysfs belongs to the network namespace's owner, so inside a user namespace the host's cannot be mounted, only bound. */
  bindHostSysfs: boolean;
  /** tmpfs where systemd wants to write. */
  systemd: boolean;
  /** `read_only` of the configuration: the root is read-only, so programs get tmpfs where they expect to write. */
  tmpfsForReadonlyRoot: boolean;
}

/** What every container sees below /proc, /dev and /sys unless a volume is mounted there. */
export function defaultMounts(inputs: DefaultMountInputs): OciMount[] {
  return [
    { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
    tmpfs("/dev", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    tmpfs("/dev/shm", ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
    sysfs(inputs),
    {
      destination: "/sys/fs/cgroup",
      type: "cgroup",
      source: "cgroup",
      options: ["nosuid", "noexec", "nodev", "relatime", inputs.privileged || inputs.cgroupWritable ? "rw" : "ro"],
    },
    ...(inputs.tmpfsForReadonlyRoot ? ["/run", "/tmp", "/var/tmp"].map(writableTmpfs) : []),
    ...(inputs.systemd ? ["/run", "/run/lock", "/tmp", "/var/log/journal"].map(systemdTmpfs) : []),
  ];
}

function sysfs(inputs: DefaultMountInputs): OciMount {
  const access = inputs.privileged ? "rw" : "ro";
  const options = ["nosuid", "noexec", "nodev", access];
  return inputs.bindHostSysfs
    ? { destination: "/sys", type: "bind", source: "/sys", options: ["rbind", "rslave", ...options] }
    : { destination: "/sys", type: "sysfs", source: "sysfs", options };
}

function tmpfs(destination: string, options: string[]): OciMount {
  return { destination, type: "tmpfs", source: "tmpfs", options };
}

function writableTmpfs(destination: string): OciMount {
  return tmpfs(destination, ["rw", "nosuid", "nodev", "noexec", "mode=1777", "tmpcopyup"]);
}

function systemdTmpfs(destination: string): OciMount {
  const mode = destination === "/tmp" ? "mode=1777" : "mode=755";
  return tmpfs(destination, ["rw", "nosuid", "nodev", mode, "tmpcopyup"]);
}

/** True when the container's first process is systemd, which needs more places to write. */
export function runsSystemd(args: readonly string[]): boolean {
  const [program = ""] = args;
  return (
    ["/sbin/init", "/usr/sbin/init", "/usr/local/sbin/init"].includes(program) ||
    path.posix.basename(program) === "systemd"
  );
}
