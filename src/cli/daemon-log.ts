import { close, openSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import type { Config } from "#config/index.ts";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import { createLogger, type LogFormat, logLevelOf, type RootLogger } from "#observability/create-logger.ts";
import { createLogWriter, type LogWriter } from "#observability/log-writer.ts";

const stderr = 2;
/** How long the end of the process waits for whoever reads the log. */
const flushTimeoutMs = 500;

/** The daemon's own log. */
export interface DaemonLog {
  readonly logger: RootLogger;
  /** Takes over level and filter, and opens the file again, which log rotation may have renamed. */
  configure(config: Config): void;
  /** Resolves when the lines logged so far are written, or nobody reads them. */
  flush(): Promise<void>;
}

/** @throws DomainError internal when the file cannot be opened */
export function openDaemonLog(config: Config, target: { file: string | undefined; format: LogFormat }): DaemonLog {
  let output = openOutput(target.file);
  const logger = createLogger({ level: "info", format: target.format, write: (line) => output.writer.write(line) });
  const applyOptions = ({ runtime }: Config): void => {
    logger.setLevel(logLevelOf(runtime.logLevel));
    logger.setFilter(runtime.logFilter === "" ? undefined : new RegExp(runtime.logFilter));
  };
  applyOptions(config);
  return {
    logger,
    configure(next) {
      applyOptions(next);
      if (target.file === undefined) return;
      const before = output;
      output = openOutput(target.file);
      // An error of close leaves nothing to do: the descriptor is gone either way.
      void before.writer.flushed().then(() => close(before.fd, () => {}));
    },
    async flush() {
      await Promise.race([output.writer.flushed(), setTimeout(flushTimeoutMs, undefined, { ref: false })]);
    },
  };
}

function openOutput(file: string | undefined): { fd: number; writer: LogWriter } {
  if (file === undefined) return { fd: stderr, writer: createLogWriter(stderr) };
  try {
    const fd = openSync(file, "a", 0o640);
    return { fd, writer: createLogWriter(fd) };
  } catch (error) {
    throw new DomainError("internal", `log file ${file} cannot be opened: ${messageOf(error)}`, { cause: error });
  }
}
