import { DomainError } from "#errors/domain-error.ts";
import type { RunOptions, RunResult } from "#kernel/spawn.ts";
import type { HostPortRule } from "./rule.ts";

/** Runs a program to its end; `#kernel/spawn.ts` has the real one. */
export type Run = (argv: readonly string[], options?: RunOptions) => Promise<RunResult>;

/** Where rules are kept. Changes are all or nothing; one process each. */
export interface PacketFilter {
  readonly name: string;
  /** All rules of all pods that are in the kernel. @throws DomainError internal */
  list(): Promise<HostPortRule[]>;
  /** Takes rules out and puts rules in. @throws DomainError internal; aborted when the kernel's rules are not as expected */
  change(remove: readonly HostPortRule[], add: readonly HostPortRule[]): Promise<void>;
}

const timeoutMs = 30_000;
const environment = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" };

/** Runs a packet filter's program; a failure of it is a result, not an error. @throws DomainError internal when it cannot run */
export async function runFilter(run: Run, argv: readonly string[], input = ""): Promise<RunResult> {
  try {
    return await run(argv, { input, env: environment, timeoutMs, maxOutputBytes: 16 << 20, pipes: true });
  } catch (error) {
    throw new DomainError("internal", `${argv.join(" ")} could not be started: ${String(error)}`, { cause: error });
  }
}

/** The failure of a packet filter's program as an error. */
export function filterFailure(argv: readonly string[], result: RunResult, step: string): DomainError {
  const stderr = result.stderr.toString("utf8").trim().slice(-2000);
  const ending = result.timedOut ? "no answer in time" : (result.signal ?? `exit code ${result.exitCode}`);
  // The words of errno ENOENT and EEXIST, and iptables' own for a missing chain or rule.
  const isUnexpected =
    /No such file or directory|File exists|Chain (\S+ )?already exists|No chain\/target\/match|does a matching rule exist/i.test(
      stderr,
    );
  return new DomainError(isUnexpected ? "aborted" : "internal", `${step}: ${argv.join(" ")}: ${ending}: ${stderr}`, {
    facts: { argv, exitCode: result.exitCode, stderr },
  });
}
