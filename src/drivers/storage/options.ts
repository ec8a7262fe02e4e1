import { availableParallelism } from "node:os";

/** Guards against layers that lie about their size. */
export interface LayerLimits {
  /** Of one layer's uncompressed tar. */
  maxUnpackedBytes: number;
  /** A layer may unpack to this many times its compressed size, or to `freeUnpackedBytes` if that is more. */
  maxUnpackRatio: number;
  freeUnpackedBytes: number;
  /** Of one layer. */
  maxEntries: number;
}

export interface StorageOptions {
  /** Images and layers. */
  imageRoot: string;
  /** Writable layers of containers; may be the same directory. */
  containerRoot: string;
  /** Mount points; may be a tmpfs. */
  runRoot: string;
  limits?: Partial<LayerLimits>;
  /** Worker threads that unpack; each takes several layers at once. */
  workers?: number;
  /** A worker without work is stopped after this time. */
  workerIdleMs?: number;
  /** How often a broken download of one layer is resumed. */
  retries?: number;
  /** Pause before the first resumption; doubled for each further one. */
  retryDelayMs?: number;
}

const gibibyte = 1024 ** 3;

/** A gzip stream cannot exceed 1032:1; real layers stay far below 100:1. */
export const defaultLimits: LayerLimits = {
  maxUnpackedBytes: 128 * gibibyte,
  maxUnpackRatio: 200,
  freeUnpackedBytes: 2 * gibibyte,
  maxEntries: 2_000_000,
};

export const defaultOptions: Required<Pick<StorageOptions, "workers" | "workerIdleMs" | "retries" | "retryDelayMs">> = {
  workers: Math.min(4, availableParallelism()),
  workerIdleMs: 10_000,
  retries: 5,
  retryDelayMs: 250,
};

/** The most bytes that a layer of this compressed size may unpack to. */
export function allowedUnpackedBytes(limits: LayerLimits, sizeBytes: number): number {
  return Math.min(limits.maxUnpackedBytes, Math.max(limits.freeUnpackedBytes, sizeBytes * limits.maxUnpackRatio));
}
