import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import { temporarySuffix, writeFileAtomic } from "#kernel/atomic-file.ts";
import { KeyedMutex } from "#lib/keyed-mutex.ts";
import type { CorruptRecord, Records } from "./index.ts";

const suffix = ".json";

/**
 * Records in `directory`, which is made when needed; what cannot be read goes to `directory/corrupt`.
 * `check` throws for what is no such record.
 */
export function jsonRecords<T>(directory: string, check: (value: unknown) => void): Records<T> {
  const writing = new KeyedMutex<string>();
  const fileOf = (id: string): string => path.join(directory, `${id}${suffix}`);

  async function setAside(id: string, error: unknown): Promise<CorruptRecord> {
    const corrupt = path.join(directory, "corrupt");
    await mkdir(corrupt, { recursive: true, mode: 0o700 });
    const setAsideAt = path.join(corrupt, `${id}${suffix}`);
    await rename(fileOf(id), setAsideAt);
    return { id, setAsideAt, reason: messageOf(error) };
  }

  return {
    async load() {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const names = await readdir(directory);
      await Promise.all(
        names.filter((name) => name.endsWith(temporarySuffix)).map((name) => rm(path.join(directory, name))),
      );
      const records: T[] = [];
      const corrupt: CorruptRecord[] = [];
      const ids = names.filter((name) => name.endsWith(suffix)).map((name) => name.slice(0, -suffix.length));
      await Promise.all(
        ids.map(async (id) => {
          try {
            const record: unknown = JSON.parse(await readFile(fileOf(id), "utf8"));
            check(record);
            records.push(record as T);
          } catch (error) {
            corrupt.push(await setAside(id, error));
          }
        }),
      );
      return { records, corrupt };
    },

    async put(id, record) {
      try {
        await writing.run(id, () => writeFileAtomic(fileOf(id), JSON.stringify(record)));
      } catch (error) {
        throw new DomainError("internal", `cannot write the record ${fileOf(id)}: ${messageOf(error)}`, {
          cause: error,
        });
      }
    },

    async remove(id) {
      await writing.run(id, () => rm(fileOf(id), { force: true }));
    },
  };
}
