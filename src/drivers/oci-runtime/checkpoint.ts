import { DomainError, messageOf } from "#errors/domain-error.ts";
import { memoryFile } from "#kernel/memory-file.ts";
import { identify } from "#kernel/process-identity.ts";
import { noteProcess } from "#kernel/process-note.ts";
import { killTree } from "#kernel/process-tree.ts";
import { exitCodeOf } from "#kernel/child-exits.ts";
import { type ChildProcess, spawn } from "#kernel/spawn.ts";
import type { RuntimeCheckpointOptions } from "./index.ts";
import { lastWords } from "./last-words.ts";
import { commandLine } from "./runtime-options.ts";
import type { RuntimeOptions } from "./runtime-options.ts";

/** `<runtime> checkpoint --leave-running`, ended with criu when the signal aborts. */
export async function checkpoint(
  options: RuntimeOptions,
  id: string,
  { imagePath, workPath, processFile, signal }: RuntimeCheckpointOptions,
): Promise<void> {
  signal.throwIfAborted();
  const argv = commandLine(
    options,
    "checkpoint",
    "--leave-running",
    "--file-locks",
    `--image-path=${imagePath}`,
    `--work-path=${workPath}`,
    id,
  );
  const failed = (how: string, cause?: unknown): DomainError =>
    new DomainError("internal", `container ${id}: ${options.path} checkpoint ${how}`, { cause, facts: { argv } });
  using words = memoryFile();
  let child: ChildProcess;
  try {
    child = await spawn(argv, { env: options.env, fds: { 1: words.fd, 2: words.fd } });
  } catch (error) {
    throw failed(`cannot be started: ${messageOf(error)}`, error);
  }
  // criu is a child of the runtime; the container's processes are not below it, and go on when their tracer is gone.
  const onAbort = (): void => killTree(child.pid);
  signal.addEventListener("abort", onAbort, { once: true });
  const noting = noteProcess(processFile, identify(child.pid));
  noting.catch(() => child.kill("SIGKILL"));
  const status = await child.exited;
  signal.removeEventListener("abort", onAbort);
  await noting;
  signal.throwIfAborted();
  if (status.exitCode === 0) return;
  const said = lastWords(words.read(1 << 16).toString());
  throw failed(`exited with ${exitCodeOf(status)}: ${withoutLogFile(said)}`);
}

/** runc names criu's log, which is gone by the time that somebody reads it. */
function withoutLogFile(words: string): string {
  return words.replaceAll(/\s*log file: \S+/g, "");
}
