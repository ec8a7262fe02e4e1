import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import { memoryFile } from "#kernel/memory-file.ts";
import { identify } from "#kernel/process-identity.ts";
import { killTree } from "#kernel/process-tree.ts";
import { childExit, exitCodeOf, onOrphanExit } from "#kernel/child-exits.ts";
import { type ChildProcess, spawn } from "#kernel/spawn.ts";
import type { OciProcess } from "#spec/oci-runtime.ts";
import { encodeOci } from "#spec/oci-runtime-json.ts";
import type { ExecStdio, RuntimeExec } from "./index.ts";
import { lastWords } from "./last-words.ts";
import type { RuntimeOptions } from "./runtime-options.ts";

/** A runtime that hangs must not hang the session for ever. */
const startTimeoutMs = 120_000;

/**
 * Starts a process in a container and lets the runtime go: the process has its descriptors from us, writes to them without
 * a copy in between, and becomes our child, since this process adopts orphans.
 */
export async function startExec(
  options: RuntimeOptions,
  globalArgs: readonly string[],
  id: string,
  process: OciProcess,
  stdio: ExecStdio,
): Promise<RuntimeExec> {
  using document = memoryFile(encodeOci(process));
  using log = memoryFile();
  // A process may end before the runtime tells its pid.
  using ends = new OrphanExits();
  const pidFile = path.join(stdio.directory, "pid");
  const argv = [
    options.path,
    ...globalArgs,
    "--log=/proc/self/fd/4",
    "exec",
    "--detach",
    "--process=/proc/self/fd/3",
    `--pid-file=${pidFile}`,
    ...(stdio.consoleSocket === undefined ? [] : [`--console-socket=${stdio.consoleSocket}`]),
    id,
  ];
  const fds = { ...stdio.fds, 3: document.fd, 4: log.fd };
  await runToEnd(argv, options.env, fds, id, () => lastWords(log.read(1 << 16).toString()));
  const pid = Number(await readFile(pidFile, "utf8"));
  const identity = identify(pid);
  const exec = ends.follow(pid, identity !== undefined);
  // For a daemon that starts after this one was killed.
  if (identity !== undefined) await writeFile(path.join(stdio.directory, "process"), JSON.stringify(identity));
  return exec;
}

async function runToEnd(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  fds: Readonly<Record<number, number>>,
  id: string,
  words: () => string,
): Promise<void> {
  const failed = (how: string, cause?: unknown): DomainError =>
    new DomainError("internal", `container ${id}: ${argv[0] ?? ""} exec ${how}`, { cause, facts: { argv } });
  let child: ChildProcess;
  try {
    child = await spawn(argv, { env, fds });
  } catch (error) {
    throw failed(`cannot be started: ${messageOf(error)}`, error);
  }
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killTree(child.pid);
  }, startTimeoutMs);
  const status = await child.exited;
  clearTimeout(timer);
  if (timedOut) throw failed(`did not start the process within ${startTimeoutMs / 1000} s: ${words()}`);
  if (status.exitCode !== 0) throw failed(`failed: ${words()}`);
}

/** Takes note of all adopted processes that end, until the one that matters is known. */
class OrphanExits implements Disposable {
  readonly #codes = new Map<number, number>();
  readonly #stop = onOrphanExit((pid, status) => this.#codes.set(pid, exitCodeOf(status)));

  /** What becomes of the process `pid`, which is alive or ended a moment ago. */
  follow(pid: number, alive: boolean): RuntimeExec {
    const known = this.#codes.get(pid);
    // A code that is known of a process that lives was of an earlier one with the same pid.
    let ended = known !== undefined && !alive;
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
