/** Files of /proc and /sys that tell about the host or let it be changed; runtimes cover them. */
const defaultMaskedPaths: readonly string[] = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];

/**
 * Masked and read-only paths. The kubelet sends its list for ordinary containers and empty ones for `procMount: Unmasked`, so
 * an empty list means none. A non-empty list of masked paths is completed with ours, which knows files that it does not.
 */
export function buildMaskedPaths(inputs: {
  privileged: boolean;
  maskedPaths: readonly string[];
  readonlyPaths: readonly string[];
}): { maskedPaths: string[]; readonlyPaths: string[] } {
  if (inputs.privileged) return { maskedPaths: [], readonlyPaths: [] };
  const masked = inputs.maskedPaths.length === 0 ? [] : [...inputs.maskedPaths, ...defaultMaskedPaths];
  return { maskedPaths: [...new Set(masked)], readonlyPaths: [...new Set(inputs.readonlyPaths)] };
}
