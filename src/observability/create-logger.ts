import { leveledLogger, type LogFields, type Logger, type LogLevel } from "./logger.ts";
import { plainFields, type PlainValue } from "./plain-value.ts";
import { redactText } from "./redact.ts";

export type LogFormat = "text" | "json";

export interface LoggerOptions {
  level: LogLevel;
  format: LogFormat;
  /** Takes one line with its newline. Must not block and must not throw. */
  write(line: string): void;
  /** Only messages that match are logged. */
  filter?: RegExp;
  /** For tests. */
  now?: () => Date;
}

/** The first logger, whose settings all its children share. */
export interface RootLogger extends Logger {
  setLevel(level: LogLevel): void;
  /** Logs only messages that match; undefined takes the filter away. */
  setFilter(filter: RegExp | undefined): void;
}

const severity: Readonly<Record<LogLevel, number>> = { trace: 0, debug: 1, info: 2, warn: 3, error: 4 };

interface Sink {
  level: LogLevel;
  filter: RegExp | undefined;
  log(level: LogLevel, message: string, fields: LogFields, context: LogFields): void;
}

/** A logger that writes one line per message: `time`, `level`, `msg`, then the fields; secrets are redacted. */
export function createLogger(options: LoggerOptions): RootLogger {
  const now = options.now ?? (() => new Date());
  const formatLine = options.format === "json" ? formatJson : formatText;
  const sink: Sink = {
    level: options.level,
    filter: options.filter,
    log(level, message, fields, context) {
      if (severity[level] < severity[sink.level]) return;
      if (sink.filter !== undefined && !sink.filter.test(message)) return;
      const head = { time: now().toISOString(), level, msg: redactText(message) };
      const plain = plainFields([...Object.entries(context), ...Object.entries(fields)]);
      options.write(`${formatLine({ ...plain, ...head }, head)}\n`);
    },
  };
  return {
    ...loggerOn(sink, {}),
    setLevel(level) {
      sink.level = level;
    },
    setFilter(filter) {
      sink.filter = filter;
    },
  };
}

/** The level that an option or flag means; logrus' names are understood. */
export function logLevelOf(word: string): LogLevel {
  switch (word.toLowerCase()) {
    case "trace":
      return "trace";
    case "debug":
      return "debug";
    case "warn":
    case "warning":
      return "warn";
    case "error":
    case "fatal":
    case "panic":
      return "error";
    default:
      return "info";
  }
}

function loggerOn(sink: Sink, context: LogFields): Logger {
  return leveledLogger(
    (level, message, fields) => sink.log(level, message, fields, context),
    (fields) => loggerOn(sink, { ...context, ...fields }),
  );
}

type Head = { time: string; level: LogLevel; msg: string };
type Line = { [name: string]: PlainValue };

function formatJson(line: Line, { time, level, msg }: Head): string {
  return JSON.stringify({ time, level, msg, ...line });
}

/** logfmt: `name=value` pairs, values quoted where they need it, objects flattened with dots. */
function formatText(line: Line, { time, level, msg }: Head): string {
  const pairs = [`time=${JSON.stringify(time)}`, `level=${level}`, `msg=${JSON.stringify(msg)}`];
  for (const [name, value] of Object.entries(line)) {
    if (name !== "time" && name !== "level" && name !== "msg") flatten(name, value, pairs);
  }
  return pairs.join(" ");
}

function flatten(name: string, value: PlainValue, pairs: string[]): void {
  const key = name.replaceAll(/[\s="]/g, "_");
  if (Array.isArray(value)) pairs.push(`${key}=${quoted(JSON.stringify(value))}`);
  else if (typeof value === "object" && value !== null) {
    const { message, ...rest } = value;
    if (message !== undefined) flatten(key, message, pairs);
    for (const [inner, item] of Object.entries(rest)) flatten(`${key}.${inner}`, item, pairs);
  } else pairs.push(`${key}=${quoted(String(value))}`);
}

function quoted(word: string): string {
  return /^[^\s"=\\\p{Cc}]+$/u.test(word) ? word : JSON.stringify(word);
}
