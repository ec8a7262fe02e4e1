import { lstatSync, opendirSync } from "node:fs";
import path from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { hasErrno, messageOf } from "#errors/domain-error.ts";
import { setXattr } from "#kernel/file-metadata.ts";
import { hasLabel } from "./relabel.ts";
import type { RelabelOutcome, RelabelTask } from "./relabel.ts";

const task = workerData as RelabelTask;
const value = Buffer.from(`${task.label}\0`);

/** Children first and the top last: a walk that was cut short starts again, one that ended is recognised by the top alone. */
function relabelTree(file: string): void {
  if (lstatSync(file).isDirectory()) {
    using directory = opendirSync(file);
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync())
      skipMissing(() => relabelTree(path.join(file, entry.name)));
  }
  if (!hasLabel(file, task)) setXattr(file, task.attribute, value);
}

/** Other programs work in the volume meanwhile. */
function skipMissing(step: () => void): void {
  try {
    step();
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
  }
}

function outcome(): RelabelOutcome {
  try {
    relabelTree(task.root);
    return { done: true };
  } catch (error) {
    const unsupported = hasErrno(error, "ENOTSUP", "EOPNOTSUPP");
    return { done: false, unsupported, message: messageOf(error) };
  }
}

parentPort?.postMessage(outcome());
