/** Name of the profile that berth brings along: CRI-O's, since configurations and other profiles name it. */
export const builtInApparmorProfile = "crio-default";

/** Includes that not every distribution has. */
export interface ProfileParts {
  hasTunables: boolean;
  hasBaseAbstraction: boolean;
}

/**
 * The AppArmor profile of containers: everything that the other mechanisms allow, but no writing to the kernel's own files,
 * no mounting, and signals and ptrace only among containers of the profile.
 */
export function apparmorProfileText(name: string, parts: ProfileParts): string {
  const lines = [
    parts.hasTunables ? "#include <tunables/global>" : "@{PROC}=/proc/",
    `profile ${name} flags=(attach_disconnected,mediate_deleted) {`,
    ...(parts.hasBaseAbstraction ? ["  #include <abstractions/base>"] : []),
    "  network,",
    "  capability,",
    "  file,",
    "  umount,",
    "  # The runtime, its monitor and the daemon stop containers.",
    "  signal (receive) peer=unconfined,",
    "  signal (receive) peer={runc,crun,conmon},",
    `  signal (send,receive) peer=${name},`,
    `  ptrace (trace,read,tracedby,readby) peer=${name},`,
    "  deny mount,",
    "  # Directly in /proc only what belongs to a process may be written; below sys only what containers own.",
    "  deny @{PROC}/* w,",
    "  deny @{PROC}/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9/]*}/** w,",
    "  deny @{PROC}/sys/[^kn]** w,",
    "  deny @{PROC}/sys/kernel/{?,??,[^s][^h][^m]**} w,",
    "  deny @{PROC}/sysrq-trigger rwklx,",
    "  deny @{PROC}/kcore rwklx,",
    "  deny /sys/[^f]*/** wklx,",
    "  deny /sys/f[^s]*/** wklx,",
    "  deny /sys/fs/[^c]*/** wklx,",
    "  deny /sys/fs/c[^g]*/** wklx,",
    "  deny /sys/fs/cg[^r]*/** wklx,",
    "  deny /sys/firmware/** rwklx,",
    "  deny /sys/devices/virtual/powercap/** rwklx,",
    "  deny /sys/kernel/security/** rwklx,",
    "}",
  ];
  return `${lines.join("\n")}\n`;
}
