import { open } from "node:fs/promises";
import path from "node:path";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import { onceRemade } from "./remade-log.ts";

/** `Monitor.reopenLog`. */
export async function reopenLog(id: string, bundle: string, logPath: string): Promise<void> {
  await onceRemade(id, logPath, () => writeControl(bundle, "2 0 0\n"));
}

/** `Monitor.resizeTerminal`. */
export async function resizeTerminal(
  bundle: string,
  { width, height }: { width: number; height: number },
): Promise<void> {
  await writeControl(bundle, `1 ${height} ${width}\n`);
}

/** The control fifo has a reader as long as the monitor lives; without one the open fails instead of waiting. */
async function writeControl(bundle: string, command: string): Promise<void> {
  const fifo = path.join(bundle, "ctl");
  const writeOnlyNonBlocking = 0o4001;
  try {
    const handle = await open(fifo, writeOnlyNonBlocking);
    try {
      await handle.write(command);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new DomainError(
      "failed-precondition",
      `the monitor of ${bundle} does not listen on ${fifo}: ${messageOf(error)}`,
      { cause: error },
    );
  }
}
