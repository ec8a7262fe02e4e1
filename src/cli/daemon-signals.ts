import { mkdirSync } from "node:fs";
import path from "node:path";
import type { Logger } from "#observability/logger.ts";

/**
 * Resolves with the first SIGTERM or SIGINT. A second one ends the process at once: whoever sends it does not want to
 * wait, and the state on disk is good at any time.
 */
export function stopSignal(logger: Logger): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (asked) {
        logger.warn("second signal: berth ends at once", { signal });
        process.kill(process.pid, "SIGKILL");
      }
      asked = true;
      resolve(signal);
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}

/**
 * SIGUSR1 writes a report of what the process is doing (stacks, handles, memory; no environment) into `directory`, as
 * CRI-O writes its stacks. The listener also keeps Node from opening a debugger, to which any local user could connect.
 * SIGUSR2 collects garbage, where Node was started with --expose-gc as bin/berth does, and logs the memory in use.
 */
export function handleDiagnosticSignals(logger: Logger, directory: string): void {
  process.on("SIGUSR1", () => {
    const { report } = process;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      report.excludeEnv = true;
      report.directory = directory;
      const name = `berth-report-${new Date().toISOString().replaceAll(":", "")}.json`;
      logger.info("wrote a diagnostic report", { file: path.resolve(directory, report.writeReport(name)) });
    } catch (error) {
      logger.error("a diagnostic report could not be written", { error, directory });
    }
  });
  process.on("SIGUSR2", () => {
    globalThis.gc?.();
    logger.info("memory in use", { ...process.memoryUsage() });
  });
}
