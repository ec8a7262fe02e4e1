import { MessageChannel } from "node:worker_threads";
import type { LayerFeed } from "./layer-feed.ts";
import type { InflateRequest } from "./unpack/layer-inflater.ts";
import type { UnpackRequest } from "./unpack/layer-unpacker.ts";
import type { WrittenLayer } from "./unpack/layer-writer.ts";
import type { Task, WorkerPool } from "./worker/worker-pool.ts";

/** The work on one layer: a task that is fed with its compressed bytes and ends when its files are written. */
export interface Unpacking extends Pick<Task<"inflate">, "data" | "end" | "abort"> {
  readonly done: Promise<WrittenLayer>;
}

/**
 * Starts to unpack a layer in two threads that work at the same time: one verifies and decompresses, the other writes the files. When
 * one of them fails, the other is stopped; `done` settles when neither holds anything of the layer any more.
 */
export function startUnpacking(
  pools: { inflaters: WorkerPool; unpackers: WorkerPool },
  request: { inflate: Omit<InflateRequest, "tar">; unpack: Omit<UnpackRequest, "tar"> },
  feed: LayerFeed,
): Unpacking {
  const { port1, port2 } = new MessageChannel();
  const unpack = pools.unpackers.start("unpack", { ...request.unpack, tar: port2 }, { transfer: [port2] });
  const inflate = pools.inflaters.start(
    "inflate",
    { ...request.inflate, ...feed.memory, tar: port1 },
    { onTaken: feed.taken, transfer: [port1] },
  );
  const abort = (): void => {
    inflate.abort();
    unpack.abort();
  };
  return {
    data: (slot, length) => inflate.data(slot, length),
    end: () => inflate.end(),
    abort,
    done: bothDone(inflate, unpack, abort),
  };
}

async function bothDone(inflate: Task<"inflate">, unpack: Task<"unpack">, abort: () => void): Promise<WrittenLayer> {
  try {
    const [, written] = await Promise.all([inflate.done, unpack.done]);
    return written;
  } catch (error) {
    abort();
    await Promise.allSettled([inflate.done, unpack.done]);
    throw error;
  }
}
