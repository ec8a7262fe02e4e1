import { readFile, readlink } from "node:fs/promises";
import { type CallDone, checkOffThread, libc } from "#kernel/libc.ts";
import { isReadOnlyFile, mappingsOf } from "#kernel/mappings.ts";

const madvise = libc.func("int madvise(uint64_t address, size_t length, int advice)") as {
  async: (address: bigint, length: number, advice: number, done: CallDone) => void;
};
const mallocTrim = libc.func("int malloc_trim(size_t pad)") as { async: (pad: number, done: CallDone) => void };

/** Smaller mappings are not worth the call. */
const leastBytes = 1 << 20;

/**
 * Gives the resident pages of this program's file back: code and constants, most of which only a start needs. Those that are
 * used come back from the page cache, 16 at a time. Runs off this thread. Resolves with the bytes that were resident.
 * @throws SystemError
 */
export async function dropProgramPages(): Promise<number> {
  const dontNeed = 4;
  const [smaps, program] = await Promise.all([readFile("/proc/self/smaps", "utf8"), readlink("/proc/self/exe")]);
  const droppable = mappingsOf(program, smaps).filter(
    (mapping) => mapping.sizeBytes >= leastBytes && isReadOnlyFile(mapping),
  );
  let droppedBytes = 0;
  for (const { startAddress, sizeBytes, kibibytes } of droppable) {
    await checkOffThread((done) => madvise.async(startAddress, sizeBytes, dontNeed, done), "madvise", program);
    droppedBytes += (kibibytes.get("Rss") ?? 0) * 1024;
  }
  return droppedBytes;
}

/**
 * Gives what is free in the C library's heap back to the kernel. Runs off this thread.
 * @throws SystemError
 */
export async function trimMalloc(): Promise<void> {
  await checkOffThread((done) => mallocTrim.async(0, done), "malloc_trim");
}
