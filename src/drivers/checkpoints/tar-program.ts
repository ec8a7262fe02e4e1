import { DomainError, messageOf } from "#errors/domain-error.ts";
import { findProgram } from "#kernel/program-path.ts";
import { run } from "#kernel/spawn.ts";

/** Runs the system's tar to its end. */
export type Tar = (doing: string, args: readonly string[], signal?: AbortSignal) => Promise<void>;

/**
 * GNU tar in a process of its own. Memory images are gigabytes: they never come into this process.
 * Errors are DomainErrors: failed-precondition when tar is not installed, resource-exhausted when the disk is full, else internal; when
 * `signal` aborts tar is killed and the call rejects with the signal's reason.
 */
export function tarProgram(searchPath: string | undefined): Tar {
  return async (doing, args, signal) => {
    signal?.throwIfAborted();
    const program = findProgram("tar", searchPath);
    if (program === undefined) throw new DomainError("failed-precondition", `${doing}: tar is not installed`);
    // A colon in a file's name would make it one of another host.
    const argv = [program, "--force-local", ...args];
    const env = { LC_ALL: "C", PATH: searchPath ?? process.env["PATH"] ?? "" };
    const result = await run(argv, { env, ...(signal === undefined ? {} : { signal }) }).catch((error: unknown) => {
      throw new DomainError("internal", `${doing}: ${program} cannot be started: ${messageOf(error)}`, {
        cause: error,
      });
    });
    signal?.throwIfAborted();
    if (result.exitCode === 0) return;
    const words = result.stderr.toString().trim().split("\n").slice(-3).join("; ");
    const kind = words.includes("No space left on device") ? "resource-exhausted" : "internal";
    throw new DomainError(kind, `${doing}: tar failed: ${words}`, { facts: { argv } });
  };
}
