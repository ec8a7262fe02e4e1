import { closeSync, fstatSync, readSync, writeSync } from "node:fs";
import { check, libc } from "#kernel/libc.ts";

const memfdCreate = libc.func("int memfd_create(const char *name, unsigned int flags)") as (
  name: string,
  flags: number,
) => number;

/** A file that lives in memory and ends with its last descriptor (memfd_create(2)). */
export interface MemoryFile extends Disposable {
  readonly fd: number;
  /** The content from its start, at most `limitBytes` of it. */
  read(limitBytes: number): Buffer;
}

/** Makes a memory file with this content, to be read from its start. Undone by disposing it. */
export function memoryFile(content: string | Uint8Array = ""): MemoryFile {
  const closeOnExec = 1;
  const fd = check(memfdCreate("berth", closeOnExec), "memfd_create");
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  // Writing at a position leaves the offset, which the child shares, at the start.
  if (bytes.length > 0) writeSync(fd, bytes, 0, bytes.length, 0);
  return {
    fd,
    read(limitBytes) {
      const buffer = Buffer.alloc(Math.min(fstatSync(fd).size, limitBytes));
      let filled = 0;
      while (filled < buffer.length) {
        const count = readSync(fd, buffer, filled, buffer.length - filled, filled);
        if (count === 0) break;
        filled += count;
      }
      return buffer.subarray(0, filled);
    },
    [Symbol.dispose]() {
      closeSync(fd);
    },
  };
}
