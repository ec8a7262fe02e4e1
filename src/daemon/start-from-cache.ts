import { flushCompileCache, getCompileCacheDir } from "node:module";
import { compileKernelThread } from "#kernel/kernel-thread.ts";
import { launchEnvironment } from "#lib/launch-environment.ts";
import { messageOf } from "#errors/domain-error.ts";
import type { Logger } from "#observability/logger.ts";

/**
 * After an update the first process has to take the types away and compile, and what that needs would stay in memory until the next start,
 * some 30 MiB: such a process writes the cache and replaces itself by one that reads it, with the same pid. Call it before anything
 * is open. It returns when there is nothing to do or it cannot be done.
 */
export async function startFromCache(logger: Logger): Promise<void> {
  if (!hasCompiled() || getCompileCacheDir() === undefined || process.execve === undefined) return;
  const environment = launchEnvironment();
  // A cache that cannot be written is no reason to do this for ever.
  if (environment.BERTH_STARTED_AGAIN !== undefined) return;
  try {
    // Told beforehand, since the log is written in the background.
    logger.info("berth was compiled and starts again, from the cache");
    flushCompileCache();
    await compileKernelThread();
    process.execve(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
      ...process.env,
      ...environment,
      BERTH_STARTED_AGAIN: "1",
    });
  } catch (error) {
    logger.debug("berth cannot start again from the cache of compiled code", { error: messageOf(error) });
  }
}

/** Whether this process has loaded the compiler that takes types away: it does so for the first file that is not in the cache. */
function hasCompiled(): boolean {
  const loaded: unknown = Reflect.get(process, "moduleLoadList");
  return Array.isArray(loaded) && loaded.includes("NativeModule internal/deps/amaro/dist/index");
}
