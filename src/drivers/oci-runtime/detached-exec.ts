import path from "node:path";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import { memoryFile } from "#kernel/memory-file.ts";
import { identify } from "#kernel/process-identity.ts";
import { noteProcess } from "#kernel/process-note.ts";
import { killTree } from "#kernel/process-tree.ts";
import { smallFilesIn } from "#kernel/small-files.ts";
import { childExit, exitCodeOf, onOrphanExit } from "#kernel/child-exits.ts";
import { type ChildProcess, spawn } from "#kernel/spawn.ts";
import type { OciProcess } from "#spec/oci-runtime.ts";
import { encodeOci } from "#spec/oci-runtime-json.ts";
import type { ExecStdio, RuntimeExec } from "./index.ts";
import { lastWords } from "./last-words.ts";
import { commandLine } from "./runtime-options.ts";
import type { RuntimeOptions } from "./runtime-options.ts";

/** A runtime that hangs must not hang the session for ever. */
const startTimeoutMs = 120_000;

/** What a process of a container is started with. */
export interface DetachedStart {
  /** Descriptors for 0, 1 and 2; those left out are /dev/null. */
  readonly fds: Readonly<Record<number, number>>;
  /** Where the runtime writes the pid; whoever calls removes it. */
  readonly pidFile: string;
  /** For a process with a terminal: where its master end is sent to. */
  readonly consoleSocket?: string;
  /** How long the runtime may take, if that is shorter than what it may always take. */
  readonly timeoutMs?: number;
}

/** Starts a process whose streams are in somebody's hands; its identity is kept beside them. */
export async function startExec(
  options: RuntimeOptions,
  id: string,
  process: OciProcess,
  stdio: ExecStdio,
): Promise<RuntimeExec> {
  const pidFile = path.join(stdio.directory, "pid");
  const { exec, pid } = await startDetached(options, id, process, { ...stdio, pidFile });
  const identity = identify(pid);
  if (identity !== undefined) await noteProcess(path.join(stdio.directory, "process"), identity);
  return exec;
}

/**
 * Starts a process in a container and lets the runtime go: the process has its descriptors from us, writes to them without
 * a copy in between, and becomes our child, since this process adopts orphans. It may have ended already.
 * @throws DomainError deadline-exceeded when the runtime takes too long, invalid-argument for a command that does not exist, internal otherwise
 */
export async function startDetached(
  options: RuntimeOptions,
  id: string,
  process: OciProcess,
  { fds, pidFile, consoleSocket, timeoutMs = startTimeoutMs }: DetachedStart,
): Promise<{ exec: RuntimeExec; pid: number }> {
  using document = memoryFile(encodeOci(process));
  using log = memoryFile();
  // A process may end before the runtime tells its pid.
  using ends = new OrphanExits();
  const argv = commandLine(
    options,
    "--log=/proc/self/fd/4",
    "exec",
    "--detach",
    "--process=/proc/self/fd/3",
    `--pid-file=${pidFile}`,
    ...(consoleSocket === undefined ? [] : [`--console-socket=${consoleSocket}`]),
    id,
  );
  const words = (): string => lastWords(log.read(1 << 16).toString());
  const child = await spawnRuntime(argv, options, { ...fds, 3: document.fd, 4: log.fd }, id);
  const limitMs = Math.min(timeoutMs, startTimeoutMs);
  const outcome = await endOf(child, limitMs);
  if (outcome === "timed out") throw startTimedOut(options, id, process, limitMs, words());
  if (outcome !== 0) throw execError(options, id, process, words());
  const pid = Number(await smallFilesIn(path.dirname(pidFile)).read(pidFile));
  return { exec: ends.follow(pid), pid };
}

async function spawnRuntime(
  argv: readonly string[],
  options: RuntimeOptions,
  fds: Readonly<Record<number, number>>,
  id: string,
): Promise<ChildProcess> {
  try {
    return await spawn(argv, { env: options.env, fds });
  } catch (error) {
    throw new DomainError("internal", `container ${id}: cannot start ${options.path} exec: ${messageOf(error)}`, {
      cause: error,
      facts: { argv },
    });
  }
}

/** The exit code, or that it was killed since it took too long. */
async function endOf(child: ChildProcess, timeoutMs: number): Promise<number | "timed out"> {
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killTree(child.pid);
  }, timeoutMs);
  const exitCode = exitCodeOf(await child.exited);
  clearTimeout(timer);
  return timedOut ? "timed out" : exitCode;
}

function execError(options: RuntimeOptions, id: string, process: OciProcess, words: string): DomainError {
  const missing = /executable file not found|no such file or directory|permission denied|not a directory/i.test(words);
  return new DomainError(
    missing ? "invalid-argument" : "internal",
    `${execOf(options, id, process)} failed: ${words}`,
    { facts: { argv: process.args, stderr: words } },
  );
}

function startTimedOut(
  options: RuntimeOptions,
  id: string,
  process: OciProcess,
  limitMs: number,
  words: string,
): DomainError {
  const said = words === "" ? "" : `: ${words}`;
  return new DomainError(
    "deadline-exceeded",
    `${execOf(options, id, process)} did not start the process within ${limitMs / 1000} s${said}`,
    { facts: { argv: process.args, stderr: words } },
  );
}

function execOf({ path: program }: RuntimeOptions, id: string, { args }: OciProcess): string {
  return `container ${id}: ${program} exec of ${JSON.stringify(args[0])}`;
}

/** Takes note of all adopted processes that end, until the one that matters is known. */
class OrphanExits implements Disposable {
  readonly #codes = new Map<number, number>();
  readonly #stop = onOrphanExit((pid, status) => this.#codes.set(pid, exitCodeOf(status)));

  /** What becomes of the process `pid`, which is alive or ended a moment ago. */
  follow(pid: number): RuntimeExec {
    const known = this.#codes.get(pid);
    // A code that is known of a process that lives was of an earlier one with the same pid.
    let ended = known !== undefined && identify(pid) === undefined;
    const exited = ended && known !== undefined ? Promise.resolve(known) : childExit(pid).then(exitCodeOf);
    void exited.then(() => (ended = true));
    return {
      exited,
      kill() {
        // Only this process reaps it: until then the pid is its own.
        if (!ended) killTree(pid);
      },
    };
  }

  [Symbol.dispose](): void {
    this.#stop();
  }
}
