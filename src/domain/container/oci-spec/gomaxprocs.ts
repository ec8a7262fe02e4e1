import type { LinuxResources } from "#domain/sandbox/request.ts";

const sharesOfOneCpu = 1024;

/**
 * GOMAXPROCS for a container that nothing limits to fewer CPUs than the machine has: Go programs would start a thread for each of
 * them. Twice the CPUs that it asks for, at least `minimum`; undefined with a limit, or where `minimum` is 0.
 */
export function gomaxprocs(
  minimum: number,
  resources: Pick<LinuxResources, "cpuShares" | "cpuQuotaUs"> | undefined,
): number | undefined {
  const { cpuShares, cpuQuotaUs } = resources ?? { cpuShares: 0, cpuQuotaUs: 0 };
  if (minimum <= 0 || cpuQuotaUs > 0) return undefined;
  return Math.max(minimum, Math.ceil((2 * cpuShares) / sharesOfOneCpu));
}
