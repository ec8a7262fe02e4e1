// The entry point of the storage's worker threads: unpacking and walking trees with synchronous calls, off the main thread.
import { parentPort } from "node:worker_threads";
import { kindOf, messageOf } from "#errors/domain-error.ts";
import { ThreadRoot, unshareFileSystemState } from "#kernel/chroot.ts";
import { setUmask } from "#kernel/file-metadata.ts";
import { applyChanges } from "../changes/apply-changes.ts";
import { listChanges } from "../changes/list-changes.ts";
import { measureTree } from "../tree/measure-tree.ts";
import { removeTree } from "../tree/remove-tree.ts";
import { adoptDirectories } from "../unpack/adopt-directories.ts";
import { BlobWriter } from "../unpack/blob-writer.ts";
import { LayerUnpacker } from "../unpack/layer-unpacker.ts";
import type { FromWorker, Jobs, JobKind, ToWorker } from "./protocol.ts";

/** A job that is fed with data. */
interface Consumer extends Disposable {
  write(bytes: Buffer): Promise<void>;
  end(): Promise<Jobs[JobKind]["result"]>;
}

const port = parentPort;
if (port === null) throw new Error("This file runs as a worker thread only.");

unshareFileSystemState();
setUmask(0);
const root = new ThreadRoot();
const consumers = new Map<number, Consumer>();

function send(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer);
}

/** Runs one step of a task; a failure is its last word. */
function step(task: number, work: () => void | Promise<void>): void {
  const fail = (error: unknown): void => {
    if (!release(task)) return;
    send({ kind: "failed", task, error: { kind: kindOf(error), message: messageOf(error) } });
  };
  try {
    work()?.catch(fail);
  } catch (error) {
    fail(error);
  }
}

const running = new Set<number>();

/** Ends a task; `false` when it had ended before. */
function release(task: number): boolean {
  consumers.get(task)?.[Symbol.dispose]();
  consumers.delete(task);
  return running.delete(task);
}

function finish(task: number, result: Jobs[JobKind]["result"]): void {
  if (release(task)) send({ kind: "done", task, result });
}

function receive(message: ToWorker): void {
  const { task } = message;
  switch (message.kind) {
    case "unpack":
      running.add(task);
      return step(task, () => void consumers.set(task, new LayerUnpacker(message.request, root)));
    case "write-blob":
      running.add(task);
      return step(task, () => void consumers.set(task, new BlobWriter(message.request)));
    case "adopt-directories":
      running.add(task);
      return step(task, () => finish(task, adoptDirectories(message.request, root)));
    case "remove-tree":
      running.add(task);
      return step(task, () => {
        removeTree(message.request.path);
        finish(task, undefined);
      });
    case "measure-tree":
      running.add(task);
      return step(task, () => finish(task, measureTree(message.request.path)));
    case "list-changes":
      running.add(task);
      return step(task, () => finish(task, listChanges(message.request)));
    case "apply-changes":
      running.add(task);
      return step(task, () => finish(task, applyChanges(message.request, root)));
    case "data":
      return take(task, message.buffer, message.length);
    case "end":
      return step(task, async () => {
        const consumer = consumers.get(task);
        if (consumer !== undefined) finish(task, await consumer.end());
      });
    case "abort":
      return step(task, () => {
        throw new Error("stopped");
      });
  }
}

function take(task: number, buffer: ArrayBuffer, length: number): void {
  step(task, async () => {
    await consumers.get(task)?.write(Buffer.from(buffer, 0, length));
    if (running.has(task)) send({ kind: "taken", task, buffer, length }, [buffer]);
  });
}

port.on("message", receive);
