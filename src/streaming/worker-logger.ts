import { leveledLogger, type LogFields, type Logger, type LogLevel } from "#observability/logger.ts";

/** One line on its way from the worker to the logger of the thread that started it. */
export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** A logger whose lines are handed to `post`, as values that can be copied between threads. */
export function forwardingLogger(post: (line: LogLine) => void, fixed: LogFields = {}): Logger {
  return leveledLogger(
    (level, message, fields) => post({ level, message, fields: copyable({ ...fixed, ...fields }) }),
    (fields) => forwardingLogger(post, { ...fixed, ...fields }),
  );
}

function copyable(fields: LogFields): LogFields {
  try {
    return structuredClone(fields);
  } catch {
    return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
  }
}
