import { MessageChannel } from "node:worker_threads";
import type { Digest } from "#spec/oci-image.ts";
import type { LayerSource, UnpackProgress } from "./index.ts";
import { LayerFeed } from "./layer-feed.ts";
import { allowedUnpackedBytes, type LayerLimits } from "./options.ts";
import type { InflateRequest } from "./unpack/layer-inflater.ts";
import type { UnpackRequest } from "./unpack/layer-unpacker.ts";
import type { WrittenLayer } from "./unpack/layer-writer.ts";
import type { Task, WorkerPool } from "./worker/worker-pool.ts";

/** What it takes to unpack layers. */
export interface Unpacking {
  limits: LayerLimits;
  retry: { retries: number; retryDelayMs: number };
  inflaters: WorkerPool;
  unpackers: WorkerPool;
}

/** The work on one layer: a task that is fed with its compressed bytes and ends when its files are written. */
interface UnpackTask extends Pick<Task<"inflate">, "data" | "end" | "abort"> {
  readonly done: Promise<WrittenLayer>;
}

/** Downloads a layer into a directory, which is empty, and verifies it meanwhile. On failure half of it may be there. @throws DomainError */
export async function unpackLayer(
  unpacking: Unpacking,
  { source, diffId }: { source: LayerSource; diffId: Digest },
  directory: string,
  options: { signal: AbortSignal; onProgress: (progress: UnpackProgress) => void },
): Promise<WrittenLayer> {
  const { limits, retry } = unpacking;
  const { digest, sizeBytes } = source;
  const feed = new LayerFeed(source, { subject: `layer ${digest}`, ...options, ...retry });
  const maxUnpackedBytes = allowedUnpackedBytes(limits, sizeBytes);
  const task = startTask(
    unpacking,
    {
      inflate: { digest, sizeBytes, diffId, maxUnpackedBytes },
      unpack: { directory, maxEntries: limits.maxEntries },
    },
    feed,
  );
  return await feed.run(task);
}

/**
 * Two threads work at the same time: one verifies and decompresses, the other writes the files. When one of them fails, the other is
 * stopped; `done` settles when neither holds anything of the layer any more.
 */
function startTask(
  pools: Pick<Unpacking, "inflaters" | "unpackers">,
  request: { inflate: Omit<InflateRequest, "tar">; unpack: Omit<UnpackRequest, "tar"> },
  feed: LayerFeed,
): UnpackTask {
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
