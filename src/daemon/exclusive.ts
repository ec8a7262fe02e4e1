import { mkdir, open, readFile } from "node:fs/promises";
import path from "node:path";
import { DomainError } from "#errors/domain-error.ts";
import { tryLockFile } from "#kernel/file-metadata.ts";

/** Something that one process at a time may use. */
export interface ExclusivePlace {
  /** As the message names it: `the socket /run/x.sock`. */
  name: string;
  /** The file whose lock stands for it. It is made, and stays: removing it would let two processes lock two files of one name. */
  lockFile: string;
}

/**
 * Takes the locks of all places, before anything is looked at or changed there. They go with the process, however it ends. Undone by
 * disposing of `undo`.
 * @throws DomainError already-exists naming the place and the process that has it
 */
export async function takeExclusively(places: readonly ExclusivePlace[], undo: AsyncDisposableStack): Promise<void> {
  for (const { name, lockFile } of places) {
    await mkdir(path.dirname(lockFile), { recursive: true });
    const handle = await open(lockFile, "a", 0o600);
    if (!tryLockFile(handle.fd)) {
      await handle.close();
      const holder = (await readFile(lockFile, "utf8")).trim();
      throw new DomainError(
        "already-exists",
        `another daemon${holder === "" ? "" : `, process ${holder},`} uses ${name} (it has the lock ${lockFile})`,
      );
    }
    undo.defer(() => handle.close());
    await handle.truncate();
    await handle.write(`${process.pid}\n`);
  }
}
