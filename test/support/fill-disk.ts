import { closeSync, openSync, writeSync } from "node:fs";
import path from "node:path";

/** Takes all space that is left in a small file system; gives the file that has it. Undone by removing that. */
export function fillDisk(directory: string, name = "ballast"): string {
  const file = path.join(directory, name);
  const fd = openSync(file, "w");
  try {
    for (;;) writeSync(fd, Buffer.alloc(4096));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  } finally {
    closeSync(fd);
  }
  return file;
}
