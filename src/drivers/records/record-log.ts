import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import { AppendFile } from "#kernel/append-file.ts";
import { syncDirectory } from "#kernel/atomic-file.ts";
import type { CorruptRecord, Records } from "./index.ts";
import { draftOf, isDraft, logFile, readLogs } from "./read-logs.ts";
import { latestLines, recordLine } from "./record-line.ts";

/** What a log may hold beyond twice its living records before it is written anew: some hundred starts and ends of pods. */
const slackBytes = 4 << 20;
/** Space that is kept for what has to be written so that pods can be removed from a full disk: some dozen states. */
const reservedBytes = 256 << 10;

interface Generation {
  file: string;
  log: AppendFile;
}

interface Line {
  id: string;
  bytes: Buffer;
  removes: boolean;
}

interface Write extends Line {
  done: PromiseWithResolvers<void>;
}

/**
 * Records as lines that are added to one file, the last one of an id being true: an addition costs a tenth of a new file that is renamed,
 * which on ext4 also has to find an inode that nobody has used for a while. When most lines are superseded, and at each start, the
 * living ones are written to the next generation of the file, which is synced before the earlier one is removed. A start reads all that are
 * there in their order, so that no moment is a wrong one to die.
 */
export class RecordLog<T> implements Records<T> {
  readonly #directory: string;
  readonly #check: (value: unknown) => void;
  readonly #slackBytes: number;
  readonly #reservedBytes: number;
  #generation: Generation | undefined;
  #number = 0;
  readonly #superseded = new Set<string>();
  #settling = Promise.resolve();
  readonly #lineBytes = new Map<string, number>();
  #livingBytes = 0;
  #renewAtBytes = 0;
  #waiting: Write[] = [];
  #writing: Promise<void> | undefined;
  #closed = false;

  /** `directory` is made when needed. `check` throws for what is no such record; that goes to `directory/corrupt`. */
  constructor(
    directory: string,
    check: (value: unknown) => void,
    options: { slackBytes?: number; reservedBytes?: number } = {},
  ) {
    this.#directory = directory;
    this.#check = check;
    this.#slackBytes = options.slackBytes ?? slackBytes;
    this.#reservedBytes = options.reservedBytes ?? reservedBytes;
  }

  async load(): Promise<{ records: T[]; corrupt: CorruptRecord[] }> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await this.#removeDrafts();
    const lines = await this.#readAll();
    const records: T[] = [];
    const corrupt: CorruptRecord[] = [];
    for (const [id, json] of lines) {
      try {
        const record: unknown = JSON.parse(json.toString("utf8"));
        this.#check(record);
        records.push(record as T);
      } catch (error) {
        const reason = messageOf(error);
        try {
          corrupt.push({ id, setAsideAt: await this.#setAside(id, json), reason });
          lines.delete(id);
        } catch (failure) {
          // It stays in the log, for the next start to try again.
          corrupt.push({ id, setAsideAt: this.#directory, reason: `${reason}; it stays there: ${messageOf(failure)}` });
        }
      }
    }
    // What is there can be served from a full disk too; the first write tries again, and tells.
    await this.#renew(lines).catch(() => {});
    return { records, corrupt };
  }

  async put(id: string, record: T): Promise<void> {
    await this.#write({ id, bytes: recordLine(id, JSON.stringify(record)), removes: false });
  }

  async remove(id: string): Promise<void> {
    await this.#write({ id, bytes: recordLine(id), removes: true });
  }

  async close(): Promise<void> {
    this.#closed = true;
    // Their descriptor must not become another file's under their hands.
    await this.#writing;
    await this.#settling;
    await this.#generation?.log.close();
  }

  async #removeDrafts(): Promise<void> {
    const drafts = (await readdir(this.#directory)).filter(isDraft).map((name) => path.join(this.#directory, name));
    // They take space, and nothing else.
    await Promise.allSettled(drafts.map((draft) => rm(draft, { force: true })));
  }

  async #readAll(): Promise<Map<string, Buffer>> {
    const { logs, latest } = await readLogs(this.#directory);
    for (const { file, number } of logs) {
      this.#superseded.add(file);
      this.#number = number;
    }
    return latest;
  }

  async #setAside(id: string, json: Buffer): Promise<string> {
    const corrupt = path.join(this.#directory, "corrupt");
    await mkdir(corrupt, { recursive: true, mode: 0o700 });
    const setAsideAt = path.join(corrupt, `${id}.json`);
    await writeFile(setAsideAt, json, { mode: 0o600 });
    return setAsideAt;
  }

  /** Begins the next generation with these records. When that fails, the present one stays as it is. */
  async #renew(living: ReadonlyMap<string, Buffer>): Promise<Generation> {
    const file = logFile(this.#directory, this.#number + 1);
    const lines = [...living].map(([id, json]) => ({ id, bytes: recordLine(id, json), removes: false }));
    const log = await this.#writeDraft(file, lines);
    const before = this.#generation;
    this.#number += 1;
    this.#generation = { file, log };
    this.#lineBytes.clear();
    this.#livingBytes = 0;
    for (const line of lines) this.#count(line);
    this.#renewAtBytes = this.#slackBytes + 2 * this.#livingBytes;
    this.#settling = this.#settling.then(() => this.#retire(log, before));
    return this.#generation;
  }

  /**
   * Writes a generation under a name that no start reads, and gives it its own when it is whole: one that failed and cannot be removed either would be
   * taken for what came after the lines that are yet to be added to the present one.
   */
  async #writeDraft(file: string, lines: readonly Line[]): Promise<AppendFile> {
    // No two have the same name: what cannot be removed must not be in the way of the next one.
    const draft = draftOf(file);
    const log = await AppendFile.create(draft);
    try {
      await log.append(Buffer.concat(lines.map(({ bytes }) => bytes)));
      await log.reserve(this.#reservedBytes);
      await rename(draft, file);
      return log;
    } catch (error) {
      // The next start removes it, if that fails now.
      await Promise.allSettled([log.close(), rm(draft, { force: true })]);
      throw error;
    }
  }

  /** Takes away what is in the present generation as well, once that has reached the disk; otherwise the next start reads both. */
  async #retire(log: AppendFile, before: Generation | undefined): Promise<void> {
    if (before !== undefined) this.#superseded.add(before.file);
    try {
      await before?.log.close();
      await log.sync();
      await syncDirectory(this.#directory);
      for (const file of this.#superseded) await rm(file, { force: true });
      this.#superseded.clear();
    } catch {
      // They are retired with a later generation.
    }
  }

  #count({ id, bytes, removes }: Line): void {
    this.#livingBytes -= this.#lineBytes.get(id) ?? 0;
    this.#lineBytes.delete(id);
    if (removes) return;
    this.#lineBytes.set(id, bytes.length);
    this.#livingBytes += bytes.length;
  }

  async #write(line: Line): Promise<void> {
    if (this.#closed) throw this.#failure(line.id, new Error("it is closed"));
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ ...line, done });
    this.#writing ??= this.#writeWaiting();
    await done.promise;
  }

  /** All that have come while one write was under way are written by the next one. */
  async #writeWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const writes = this.#waiting;
      this.#waiting = [];
      try {
        await this.#append(writes);
        for (const { done } of writes) done.resolve();
      } catch (error) {
        for (const { id, done } of writes) done.reject(this.#failure(id, error));
      }
      // Also when they did not fit: cutting them off has given away what was kept.
      await this.#generation?.log.reserve(this.#reservedBytes).catch(() => {});
    }
    this.#writing = undefined;
  }

  async #append(writes: readonly Write[]): Promise<void> {
    const { log } = await this.#writable();
    // What has no line needs none to be gone: whoever takes back a record that did not fit on a full disk must not fail too.
    const lines = writes.filter(
      ({ id, removes }, index) =>
        !removes || this.#lineBytes.has(id) || writes.slice(0, index).some((earlier) => earlier.id === id),
    );
    await log.append(Buffer.concat(lines.map(({ bytes }) => bytes)));
    for (const line of lines) this.#count(line);
  }

  async #writable(): Promise<Generation> {
    if (this.#generation === undefined) return this.#renew(await this.#readAll());
    if (this.#generation.log.sizeBytes < this.#renewAtBytes) return this.#generation;
    return this.#renewOr(this.#generation);
  }

  /** A disk that is too full for a second file may have room for another line of the first one. */
  async #renewOr(present: Generation): Promise<Generation> {
    try {
      return await this.#renew(latestLines(await readFile(present.file), path.basename(present.file)));
    } catch {
      this.#renewAtBytes = present.log.sizeBytes + this.#slackBytes;
      return present;
    }
  }

  #failure(id: string, error: unknown): DomainError {
    const file = this.#generation?.file ?? this.#directory;
    return new DomainError("internal", `cannot write the record of ${id} to ${file}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
