import { readFile } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { findProgram } from "#kernel/program-path.ts";
import { criuErrors } from "./criu-log.ts";
import { dumpDirectories } from "./dump-directories.ts";
import type { CheckpointFiles } from "./index.ts";
import { restoreDirectories } from "./restore-directories.ts";
import { tarProgram } from "./tar-program.ts";

/** Checkpoints below `directory`; programs are looked for in `searchPath`, or in the daemon's own. */
export function checkpointFiles(directory: string, searchPath: string | undefined): CheckpointFiles {
  const tar = tarProgram(searchPath);
  return {
    findCriu: () => findProgram("criu", searchPath),
    criuErrors,
    criuOptions,
    dumps: dumpDirectories(path.join(directory, "dumps"), tar),
    restores: restoreDirectories(path.join(directory, "restores"), tar),
  };
}

async function criuOptions(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return "";
    throw new DomainError("failed-precondition", `criu's options in ${file} cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
