import { lstatSync, opendirSync } from "node:fs";
import path from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { hasErrno, messageOf } from "#errors/domain-error.ts";
import { getXattr, setXattr } from "#kernel/file-metadata.ts";
import type { RelabelOutcome, RelabelTask } from "./relabel.ts";

const { root, label, attribute } = workerData as RelabelTask;
const value = Buffer.from(`${label}\0`);

/** Children first and the top last: a walk that was cut short starts again, one that ended is recognised by the top alone. */
function relabelTree(file: string): void {
  if (lstatSync(file).isDirectory()) {
    using directory = opendirSync(file);
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync())
      skipMissing(() => relabelTree(path.join(file, entry.name)));
  }
  if (!hasLabel(file)) setXattr(file, attribute, value);
}

/** Other programs work in the volume meanwhile. */
function skipMissing(step: () => void): void {
  try {
    step();
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
  }
}

function hasLabel(file: string): boolean {
  try {
    return getXattr(file, attribute).toString("utf8").replace(/\0$/, "") === label;
  } catch (error) {
    if (hasErrno(error, "ENODATA")) return false;
    throw error;
  }
}

function outcome(): RelabelOutcome {
  try {
    if (!hasLabel(root)) relabelTree(root);
    return { done: true };
  } catch (error) {
    const unsupported = hasErrno(error, "ENOTSUP", "EOPNOTSUPP");
    return { done: false, unsupported, message: messageOf(error) };
  }
}

parentPort?.postMessage(outcome());
