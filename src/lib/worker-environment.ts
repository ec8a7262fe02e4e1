import { getCompileCacheDir } from "node:module";
import path from "node:path";

/**
 * The environment to start a worker thread with: this process's, and its cache of compiled code, which a thread knows by
 * environment only. Without the cache a thread takes three times as long to start, and keeps 15 MiB for the compiler that takes the types away.
 */
export function workerEnvironment(): NodeJS.ProcessEnv {
  const cache = getCompileCacheDir();
  return cache === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: path.dirname(cache) };
}
