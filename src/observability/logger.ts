/** Facts that go with a log line. Values are printed as they are; an Error is printed with its message and facts. */
export type LogFields = Readonly<Record<string, unknown>>;

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";

/** A structured logger. `child` adds fields (request, pod, container ids) to every line written through it. */
export interface Logger {
  trace(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

/** A logger that gives each line to `log` with its level; `child` makes the one for more fields. */
export function leveledLogger(
  log: (level: LogLevel, message: string, fields: LogFields) => void,
  child: (fields: LogFields) => Logger,
): Logger {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void =>
      log(level, message, fields);
  return { trace: at("trace"), debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error"), child };
}

/** A logger that drops everything, for tests and for callers that have none. */
export const silentLogger: Logger = {
  trace() {},
  debug() {},
  info() {},
  warn() {},
  error() {},
  child() {
    return silentLogger;
  },
};
