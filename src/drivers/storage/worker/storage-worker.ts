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
import { LayerInflater } from "../unpack/layer-inflater.ts";
import { LayerUnpacker } from "../unpack/layer-unpacker.ts";
import type { FedRequest, FromWorker, Jobs, JobKind, ToWorker } from "./protocol.ts";

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
/** Tasks under way, with what they hold. */
const running = new Map<number, Disposable | undefined>();
const fed = new Map<number, { consumer: Consumer; request: FedRequest }>();

function send(message: FromWorker): void {
  port?.postMessage(message);
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

/** Ends a task; `false` when it had ended before. */
function release(task: number): boolean {
  running.get(task)?.[Symbol.dispose]();
  fed.delete(task);
  return running.delete(task);
}

function finish(task: number, result: Jobs[JobKind]["result"]): void {
  if (release(task)) send({ kind: "done", task, result });
}

/** A task that is over when `work` returns. */
function atOnce(task: number, work: () => Jobs[JobKind]["result"]): void {
  running.set(task, undefined);
  step(task, () => finish(task, work()));
}

/** A task that goes on with data from the main thread. */
function feed(task: number, request: FedRequest, begin: () => Consumer): void {
  running.set(task, undefined);
  step(task, () => {
    const consumer = begin();
    running.set(task, consumer);
    fed.set(task, { consumer, request });
  });
}

function unpack(task: number, request: Jobs["unpack"]["request"]): void {
  running.set(task, undefined);
  step(task, () => {
    const guard = (work: () => void): void => {
      if (running.has(task)) step(task, work);
    };
    running.set(task, new LayerUnpacker(request, root, { guard, done: (written) => finish(task, written) }));
  });
}

function receive(message: ToWorker): void {
  const { task } = message;
  switch (message.kind) {
    case "inflate":
      return feed(task, message.request, () => new LayerInflater(message.request));
    case "write-blob":
      return feed(task, message.request, () => new BlobWriter(message.request));
    case "unpack":
      return unpack(task, message.request);
    case "adopt-directories":
      return atOnce(task, () => adoptDirectories(message.request, root));
    case "remove-tree":
      return atOnce(task, () => {
        removeTree(message.request.path);
        return undefined;
      });
    case "measure-tree":
      return atOnce(task, () => measureTree(message.request.path));
    case "list-changes":
      return atOnce(task, () => listChanges(message.request));
    case "apply-changes":
      return atOnce(task, () => applyChanges(message.request, root));
    case "data":
      return take(task, message.slot, message.length);
    case "end":
      return step(task, async () => {
        const consumer = fed.get(task)?.consumer;
        if (consumer !== undefined) finish(task, await consumer.end());
      });
    case "abort":
      return step(task, () => {
        throw new Error("stopped");
      });
  }
}

function take(task: number, slot: number, length: number): void {
  step(task, async () => {
    const feeding = fed.get(task);
    if (feeding === undefined) return;
    const { memory, slotBytes } = feeding.request;
    await feeding.consumer.write(Buffer.from(memory, slot * slotBytes, length));
    if (running.has(task)) send({ kind: "taken", task, slot, length });
  });
}

port.on("message", receive);
