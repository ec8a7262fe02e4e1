// The entry point of the storage's worker threads: unpacking and walking trees with synchronous calls, off the main thread.
import { parentPort } from "node:worker_threads";
import { ThreadRoot, unshareFileSystemState } from "#kernel/chroot.ts";
import { setUmask } from "#kernel/file-metadata.ts";
import { applyChanges } from "../changes/apply-changes.ts";
import { listChanges } from "../changes/list-changes.ts";
import { measureTree } from "../tree/measure-tree.ts";
import { removeTree } from "../tree/remove-tree.ts";
import { adoptDirectories } from "../unpack/adopt-directories.ts";
import { BlobWriter } from "../unpack/blob-writer.ts";
import { LayerUnpacker } from "../unpack/layer-unpacker.ts";
import type { ToWorker } from "./protocol.ts";
import { WorkerTasks } from "./worker-tasks.ts";

const port = parentPort;
if (port === null) throw new Error("This file runs as a worker thread only.");

unshareFileSystemState();
setUmask(0);
const root = new ThreadRoot();
const tasks = new WorkerTasks(port);

port.on("message", (message: ToWorker) => {
  const { task } = message;
  switch (message.kind) {
    case "unpack":
      return tasks.begin(task, (steps) => new LayerUnpacker(message.request, root, steps));
    case "write-blob":
      return tasks.feed(task, message.request, () => new BlobWriter(message.request));
    case "adopt-directories":
      return tasks.atOnce(task, () => adoptDirectories(message.request, root));
    case "remove-tree":
      return tasks.atOnce(task, () => {
        removeTree(message.request.path);
        return undefined;
      });
    case "measure-tree":
      return tasks.atOnce(task, () => measureTree(message.request.path));
    case "list-changes":
      return tasks.atOnce(task, () => listChanges(message.request));
    case "apply-changes":
      return tasks.atOnce(task, () => applyChanges(message.request, root));
    case "inflate":
      throw new Error("this worker does not inflate");
    case "data":
    case "end":
    case "abort":
      return tasks.receive(message);
  }
});
