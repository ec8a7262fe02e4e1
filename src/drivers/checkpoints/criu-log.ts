import { open } from "node:fs/promises";
import { hasErrno } from "#errors/domain-error.ts";

/** Logs of large containers have megabytes; what went wrong stands at the end. */
const tailBytes = 64 << 10;
const maxErrors = 3;

/** See `CheckpointFiles.criuErrors`. Lines are `(00.012345) Error (criu/file.c:12): what`. */
export async function criuErrors(logFile: string): Promise<string> {
  const lines = (await tailOf(logFile)).split("\n");
  const errors = lines.map((line) => /Error \([^)]*\): (.*)$/.exec(line)?.[1]).filter((text) => text !== undefined);
  // The last line only says that it failed.
  const telling = errors.filter((text) => !/^(?:Dumping|Restoring) FAILED/.test(text));
  return telling.slice(-maxErrors).join("; ");
}

async function tailOf(file: string): Promise<string> {
  try {
    await using handle = await open(file, "r");
    const { size } = await handle.stat();
    const start = Math.max(0, size - tailBytes);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(tailBytes), 0, tailBytes, start);
    return buffer.toString("utf8", 0, bytesRead);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return "";
    throw error;
  }
}
