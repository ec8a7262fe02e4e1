import { close, constants, fsync, ftruncate, open, write } from "node:fs";
import { promisify } from "node:util";
import { type CallDone, libc, offThread } from "#kernel/libc.ts";

const openFile = promisify(open);
const closeFile = promisify(close);
const syncFile = promisify(fsync);
const truncateFile = promisify(ftruncate);
const writeAt = promisify(write);

const fallocate = libc.func("int fallocate(int fd, int mode, int64_t offset, int64_t length)") as unknown as {
  async: (fd: number, mode: number, offset: number, length: number, done: CallDone) => void;
};
const keepSize = 1;

/** A file that one process adds to. Each addition is a single turn through Node's thread pool; no other file is made for it. */
export class AppendFile {
  readonly #fd: number;
  #endBytes = 0;
  #reservedUntilBytes = 0;
  #torn = false;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Makes the file, which must not be there, readable by its owner only. Undone by `close`, and by removing it. */
  static async create(file: string): Promise<AppendFile> {
    return new AppendFile(await openFile(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600));
  }

  get sizeBytes(): number {
    return this.#endBytes;
  }

  /**
   * Adds all of `bytes` or nothing; one call at a time. A process that dies meanwhile can leave a part of them, but only the last such part
   * in the file.
   */
  async append(bytes: Buffer): Promise<void> {
    await this.#repair();
    this.#torn = true;
    let written = 0;
    while (written < bytes.length) {
      // A full disk takes a part first and fails with the next one.
      const { bytesWritten } = await writeAt(
        this.#fd,
        bytes,
        written,
        bytes.length - written,
        this.#endBytes + written,
      ).catch(async (error: unknown) => {
        await this.#repair().catch(() => {});
        throw error;
      });
      written += bytesWritten;
    }
    this.#endBytes += written;
    this.#torn = false;
  }

  /**
   * Keeps space behind the end, so that additions of about so many bytes fit when the disk has become full. Where the file system cannot, or the disk
   * is full, nothing is kept. Not while `append` is under way.
   */
  async reserve(bytes: number): Promise<void> {
    if (this.#reservedUntilBytes - this.#endBytes > bytes / 2) return;
    const start = (done: CallDone): void => fallocate.async(this.#fd, keepSize, this.#endBytes, bytes, done);
    if ((await offThread(start, (result) => result)) === 0) this.#reservedUntilBytes = this.#endBytes + bytes;
  }

  async sync(): Promise<void> {
    await syncFile(this.#fd);
  }

  async close(): Promise<void> {
    await closeFile(this.#fd);
  }

  /** What a failed call has left must not be taken for an addition. */
  async #repair(): Promise<void> {
    if (!this.#torn) return;
    await truncateFile(this.#fd, this.#endBytes);
    this.#reservedUntilBytes = this.#endBytes;
    this.#torn = false;
  }
}
