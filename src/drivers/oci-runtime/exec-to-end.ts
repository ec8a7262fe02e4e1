import { DomainError, messageOf } from "#errors/domain-error.ts";
import { BoundedPipe } from "#kernel/bounded-pipe.ts";
import { memoryFile } from "#kernel/memory-file.ts";
import { killTree } from "#kernel/process-tree.ts";
import { exitCodeOf } from "#kernel/child-exits.ts";
import { type ChildProcess, spawn } from "#kernel/spawn.ts";
import type { OciProcess } from "#spec/oci-runtime.ts";
import { encodeOci } from "#spec/oci-runtime-json.ts";
import type { RuntimeExecResult } from "./index.ts";
import { lastWords } from "./last-words.ts";
import type { RuntimeOptions } from "./runtime-options.ts";

/** What `OciRuntime.exec` promises. The process document and the runtime's own log are memory files: nothing to sweep after a crash. */
export async function execToEnd(
  options: RuntimeOptions,
  globalArgs: readonly string[],
  id: string,
  process: OciProcess,
  { timeoutMs, maxOutputBytes }: { timeoutMs?: number; maxOutputBytes: number },
): Promise<RuntimeExecResult> {
  using document = memoryFile(encodeOci(process));
  using log = memoryFile();
  using stdout = new BoundedPipe(maxOutputBytes);
  using stderr = new BoundedPipe(maxOutputBytes);
  const argv = [options.path, ...globalArgs, "--log=/proc/self/fd/4", "exec", "--process=/proc/self/fd/3", id];
  const fds = { 1: stdout.writeFd, 2: stderr.writeFd, 3: document.fd, 4: log.fd };
  const child = await start(argv, options, fds, id);
  stdout.closeWriteEnd();
  stderr.closeWriteEnd();
  let timedOut = false;
  const timer = setTimeout(
    () => {
      timedOut = true;
      killTree(child.pid);
    },
    Math.min(timeoutMs ?? longestTimerMs, longestTimerMs),
  );
  const exitCode = exitCodeOf(await child.exited);
  clearTimeout(timer);
  const complaint = log.read(1 << 16).toString();
  if (!timedOut && exitCode !== 0 && isFailure(complaint)) throw execError(options, id, process, complaint);
  return { exitCode, stdout: stdout.finish(), stderr: stderr.finish(), timedOut };
}

const longestTimerMs = 2 ** 31 - 1;

async function start(
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
    });
  }
}

/** The command's own output goes elsewhere: an error in the log is the runtime's, and the command has not run. */
function isFailure(log: string): boolean {
  return log.trim() !== "" && (/level"?[=:]"?(error|fatal)/.test(log) || !log.includes("level"));
}

function execError(options: RuntimeOptions, id: string, process: OciProcess, log: string): DomainError {
  const words = lastWords(log);
  const missing = /executable file not found|no such file or directory|permission denied|not a directory/i.test(words);
  return new DomainError(
    missing ? "invalid-argument" : "internal",
    `container ${id}: ${options.path} exec of ${JSON.stringify(process.args[0])} failed: ${words}`,
    { facts: { argv: process.args, stderr: words } },
  );
}
