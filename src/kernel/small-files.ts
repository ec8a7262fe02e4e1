import { mkdirSync, readFileSync, statfsSync, unlinkSync, writeFileSync } from "node:fs";
import { hasErrno } from "#errors/domain-error.ts";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";

/** Directories and files of a few kilobytes, below one directory. */
export interface SmallFiles {
  /** Makes a directory and what is missing above it; one that is there stays as it is. */
  makeDirectory(directory: string, mode: number): Promise<void>;
  /** Makes or replaces the content of a file. */
  write(file: string, content: string, mode: number): Promise<void>;
  /** The text of a file. */
  read(file: string): Promise<string>;
  /** Nothing happens where there is none. */
  remove(file: string): Promise<void>;
}

const tmpfsMagic = 0x01021994;

/**
 * Small files below `directory`, which is there. In memory (tmpfs, as /run is) each call takes microseconds and waits for no disk, so it is made on
 * the calling thread: three turns through Node's thread pool would cost many times that. On a disk they are made by the pool.
 */
export function smallFilesIn(directory: string): SmallFiles {
  return statfsSync(directory).type === tmpfsMagic ? inMemory : onDisk;
}

/* eslint-disable typescript/require-await -- rejections, not throws */
const inMemory: SmallFiles = {
  async makeDirectory(directory, mode) {
    mkdirSync(directory, { recursive: true, mode });
  },
  async write(file, content, mode) {
    writeFileSync(file, content, { mode });
  },
  async read(file) {
    return readFileSync(file, "utf8");
  },
  async remove(file) {
    try {
      unlinkSync(file);
    } catch (error) {
      if (!hasErrno(error, "ENOENT")) throw error;
    }
  },
};
/* eslint-enable typescript/require-await */

const onDisk: SmallFiles = {
  async makeDirectory(directory, mode) {
    await mkdir(directory, { recursive: true, mode });
  },
  async write(file, content, mode) {
    await writeFile(file, content, { mode });
  },
  async read(file) {
    return readFile(file, "utf8");
  },
  async remove(file) {
    await rm(file, { force: true });
  },
};
