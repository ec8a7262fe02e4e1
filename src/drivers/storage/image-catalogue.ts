import { readdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { messageOf } from "#errors/domain-error.ts";
import { syncDirectory, temporarySuffix, writeFileAtomic } from "#kernel/atomic-file.ts";
import { KeyedMutex } from "#lib/keyed-mutex.ts";
import { Semaphore } from "#lib/semaphore.ts";
import type { Logger } from "#observability/logger.ts";
import type { ImageChange, ImageRecord } from "./index.ts";
import type { Layout } from "./layout.ts";
import { SetAside } from "./set-aside.ts";

/** What images/<id>.json holds. Of two records that claim one name, the greater sequence has it. */
interface StoredImage {
  version: 1;
  sequence: number;
  record: ImageRecord;
}

const readsAtOnce = 16;

/** Image records: on disk, and in memory for all reads. */
export class ImageCatalogue {
  readonly #layout: Layout;
  readonly #logger: Logger;
  readonly #setAside: SetAside;
  readonly #replaced: (before: ImageRecord | undefined, after: ImageRecord | undefined) => void;
  readonly #images = new Map<string, StoredImage>();
  readonly #writes = new KeyedMutex<"all">();
  #sequence = 0;
  #snapshot: readonly ImageRecord[] | undefined;

  /** `replaced` is told of each change at the moment when reads give what is new. */
  constructor(
    layout: Layout,
    logger: Logger,
    replaced: (before: ImageRecord | undefined, after: ImageRecord | undefined) => void,
  ) {
    this.#layout = layout;
    this.#logger = logger;
    this.#setAside = new SetAside(layout, logger);
    this.#replaced = replaced;
  }

  all(): readonly ImageRecord[] {
    this.#snapshot ??= Object.freeze(Array.from(this.#images.values(), (stored) => stored.record));
    return this.#snapshot;
  }

  get(id: string): ImageRecord | undefined {
    return this.#images.get(id)?.record;
  }

  /** Reads all records; one that cannot be used is set aside and logged. `whyUnusable` says what is wrong with a well-formed one. */
  async load(whyUnusable: (record: ImageRecord) => Promise<string | undefined>): Promise<void> {
    const reads = new Semaphore(readsAtOnce);
    const names = await readdir(this.#layout.images);
    const loaded = await Promise.all(names.map((name) => reads.run(() => this.#loadOne(name, whyUnusable))));
    const found = loaded.filter((stored) => stored !== undefined).sort((a, b) => a.sequence - b.sequence);
    for (const stored of found) {
      this.#sequence = Math.max(this.#sequence, stored.sequence);
      // A crash may have come between the new owner of a name and the change of the old one.
      for (const changed of this.#withoutNames(stored.record)) this.#images.set(changed.record.id, changed);
      this.#images.set(stored.record.id, stored);
    }
    await this.#setAside.tidy();
  }

  async #loadOne(
    name: string,
    whyUnusable: (record: ImageRecord) => Promise<string | undefined>,
  ): Promise<StoredImage | undefined> {
    const file = path.join(this.#layout.images, name);
    if (name.endsWith(temporarySuffix)) {
      await rm(file, { force: true });
      return undefined;
    }
    try {
      const stored = parseStoredImage(await readFile(file, "utf8"));
      if (this.#layout.image(stored.record.id) !== file) throw new Error(`it holds image ${stored.record.id}`);
      const reason = await whyUnusable(stored.record);
      if (reason !== undefined) throw new Error(reason);
      return stored;
    } catch (error) {
      await this.#aside(file, messageOf(error));
      return undefined;
    }
  }

  async #aside(file: string, reason: string): Promise<void> {
    const place = this.#setAside.placeFor(file);
    this.#logger.error(`image record ${file} cannot be used and is set aside as ${place}: ${reason}`);
    await this.#setAside.move(file, place);
  }

  /**
   * Sets a record aside that cannot be used any more, for `reason`, unless a pull that came first has mended the image. It is not known any more although
   * its file may not move: a start will find out again.
   */
  setAside({ id, pulledAtMs }: ImageRecord, reason: string): Promise<void> {
    return this.#writes.run("all", async () => {
      const current = this.get(id);
      if (current?.pulledAtMs !== pulledAtMs) return;
      this.#replaced(current, undefined);
      this.#images.delete(id);
      this.#snapshot = undefined;
      try {
        await this.#aside(this.#layout.image(id), reason);
      } catch (error) {
        this.#logger.warn(`the record of image ${id} stays in its place: ${messageOf(error)}`);
      }
      await this.#setAside.tidy();
    });
  }

  /** Makes the record what `change` gives, durably; changes wait for each other. Gives the record before and after. */
  update(
    id: string,
    change: ImageChange,
  ): Promise<{ before: ImageRecord | undefined; after: ImageRecord | undefined }> {
    return this.#writes.run("all", async () => {
      const before = this.get(id);
      const after = change(before);
      if (after === before) return { before, after };
      return { before, after: await (after === undefined ? this.#remove(id) : this.#put(after)) };
    });
  }

  /** Writes the record, then takes its names from others. */
  async #put(record: ImageRecord): Promise<ImageRecord> {
    this.#sequence += 1;
    const stored: StoredImage = { version: 1, sequence: this.#sequence, record: structuredClone(record) };
    await this.#write(stored, true);
    const changed = this.#withoutNames(record);
    for (const one of changed) this.#images.set(one.record.id, one);
    this.#replaced(this.get(record.id), stored.record);
    this.#images.set(record.id, stored);
    this.#snapshot = undefined;
    // Not durable, and no failure: by its sequence the new record wins when both are read again.
    for (const one of changed) await this.#write(one, false).catch((error: unknown) => this.#notStripped(one, error));
    return stored.record;
  }

  async #remove(id: string): Promise<undefined> {
    await rm(this.#layout.image(id), { force: true });
    await syncDirectory(this.#layout.images);
    this.#replaced(this.get(id), undefined);
    this.#images.delete(id);
    this.#snapshot = undefined;
  }

  #write(stored: StoredImage, durable: boolean): Promise<void> {
    return writeFileAtomic(this.#layout.image(stored.record.id), JSON.stringify(stored), { durable });
  }

  #notStripped({ record }: StoredImage, error: unknown): void {
    this.#logger.warn(`image ${record.id}: its moved names are still in its record: ${messageOf(error)}`);
  }

  /** Other images that hold names of `record`, without those names. */
  #withoutNames(record: ImageRecord): StoredImage[] {
    const taken = new Set([...record.repoTags, ...record.repoDigests]);
    const keep = (name: string): boolean => !taken.has(name);
    return [...this.#images.values()]
      .filter(({ record: { id, repoTags, repoDigests } }) => {
        return id !== record.id && !(repoTags.every(keep) && repoDigests.every(keep));
      })
      .map((stored) => ({
        ...stored,
        record: {
          ...stored.record,
          repoTags: stored.record.repoTags.filter(keep),
          repoDigests: stored.record.repoDigests.filter(keep),
        },
      }));
  }
}

export function parseStoredImage(text: string): StoredImage {
  const stored = JSON.parse(text) as StoredImage;
  const { version, sequence, record } = stored;
  if (version !== 1) throw new Error("its version is not known");
  const lists: unknown[] = [record.repoTags, record.repoDigests, record.chainIds];
  const wellFormed = lists.every((list) => Array.isArray(list) && list.every((item) => typeof item === "string"));
  if (!wellFormed || !Number.isSafeInteger(sequence) || typeof record.manifestDigest !== "string") {
    throw new Error("fields are missing");
  }
  return stored;
}
