import { DomainError, messageOf, type ErrorKind } from "#errors/domain-error.ts";
import { exitCodeOf } from "#kernel/child-exits.ts";
import { run } from "#kernel/spawn.ts";
import type { RunResult } from "#kernel/spawn.ts";
import { lastWords } from "./last-words.ts";
import { commandLine } from "./runtime-options.ts";
import type { RuntimeOptions } from "./runtime-options.ts";

/** Longest time for commands that should take milliseconds; a hung runtime must not hang its callers for ever. */
const commandTimeoutMs = 120_000;

/** The commands of one runtime that end by themselves. */
export interface RuntimeCalls {
  /** @throws DomainError internal when the runtime cannot be started; its own failure is a result. */
  call(this: void, args: readonly string[], input?: string): Promise<RunResult>;
  /** @throws DomainError not-found|internal with the runtime's last words when it does not succeed */
  must(this: void, id: string, args: readonly string[], input?: string): Promise<RunResult>;
}

export function runtimeCalls(options: RuntimeOptions): RuntimeCalls {
  async function call(args: readonly string[], input = ""): Promise<RunResult> {
    const argv = commandLine(options, ...args);
    try {
      return await run(argv, { env: options.env, input, timeoutMs: commandTimeoutMs });
    } catch (error) {
      throw new DomainError(
        "internal",
        `OCI runtime ${options.path} of handler ${options.handler} cannot be started: ${messageOf(error)}`,
        { cause: error, facts: { argv } },
      );
    }
  }

  return {
    call,
    async must(id, args, input) {
      const result = await call(args, input);
      if (result.exitCode === 0) return result;
      throw runtimeError(options, id, args, result);
    },
  };
}

/** runc says "container does not exist", crun "No such file or directory" about the status file, runsc "file does not exist". */
export function isUnknownContainer(result: RunResult): boolean {
  return /does not exist|No such file or directory|not found/i.test(result.stderr.toString());
}

/** @param meaning of the last words, for a command whose failures have kinds of their own */
export function runtimeError(
  options: RuntimeOptions,
  id: string,
  args: readonly string[],
  result: RunResult,
  meaning: (words: string) => ErrorKind | undefined = () => undefined,
): DomainError {
  const words = lastWords(result.stderr.toString());
  const how = result.timedOut ? `did not end within ${commandTimeoutMs / 1000} s` : `exited with ${exitCodeOf(result)}`;
  return new DomainError(
    meaning(words) ?? (isUnknownContainer(result) ? "not-found" : "internal"),
    `container ${id}: ${options.path} ${args[0] ?? ""} ${how}: ${words}`,
    { facts: { argv: [options.path, ...args], exitCode: exitCodeOf(result), stderr: words } },
  );
}
