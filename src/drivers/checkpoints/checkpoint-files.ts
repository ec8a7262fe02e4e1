import path from "node:path";
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
    dumps: dumpDirectories(path.join(directory, "dumps"), tar),
    restores: restoreDirectories(path.join(directory, "restores"), tar),
  };
}
