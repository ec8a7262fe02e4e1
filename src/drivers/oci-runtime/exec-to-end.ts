import { randomBytes } from "node:crypto";
import path from "node:path";
import { BoundedPipe } from "#kernel/bounded-pipe.ts";
import { smallFilesIn } from "#kernel/small-files.ts";
import { longestTimerMs } from "#lib/longest-timer.ts";
import type { OciProcess } from "#spec/oci-runtime.ts";
import { startDetached } from "./detached-exec.ts";
import type { RuntimeExecResult } from "./index.ts";
import type { RuntimeOptions } from "./runtime-options.ts";

/**
 * What `OciRuntime.exec` promises. The runtime only starts the process: one that waits for its end, as runc does, also waits for
 * whatever the process leaves behind in the background with its standard output.
 */
export async function execToEnd(
  options: RuntimeOptions,
  id: string,
  process: OciProcess,
  { timeoutMs, maxOutputBytes }: { timeoutMs?: number; maxOutputBytes: number },
): Promise<RuntimeExecResult> {
  const startedMs = performance.now();
  using stdout = new BoundedPipe(maxOutputBytes);
  using stderr = new BoundedPipe(maxOutputBytes);
  await using pidFile = newPidFile(options.execDirectory);
  const { exec } = await startDetached(options, id, process, {
    fds: { 1: stdout.writeFd, 2: stderr.writeFd },
    pidFile: pidFile.path,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  stdout.closeWriteEnd();
  stderr.closeWriteEnd();
  let timedOut = false;
  const remainingMs = timeoutMs === undefined ? longestTimerMs : timeoutMs - (performance.now() - startedMs);
  const timer = setTimeout(
    () => {
      timedOut = true;
      exec.kill();
    },
    Math.min(Math.max(0, remainingMs), longestTimerMs),
  );
  const exitCode = await exec.exited;
  clearTimeout(timer);
  return { exitCode, stdout: stdout.finish(), stderr: stderr.finish(), timedOut };
}

/** A name for the file, which is removed when that is disposed. What a killed daemon leaves is swept with the streams of processes. */
function newPidFile(directory: string): { path: string } & AsyncDisposable {
  const file = path.join(directory, `${randomBytes(8).toString("hex")}.pid`);
  return { path: file, [Symbol.asyncDispose]: () => smallFilesIn(directory).remove(file) };
}
