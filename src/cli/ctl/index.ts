import { connect } from "#cri/client.ts";
import { describeOptions, parseArguments, UsageError, type OptionSpecs } from "./arguments.ts";
import { subcommands } from "./commands/index.ts";
import { CtlError, type Screen, type Subcommand } from "./subcommand.ts";

const defaultSocket = "/var/run/crio/crio.sock";
/** As long as the kubelet gives most calls; a pull or a run says otherwise. */
const defaultTimeoutSeconds = 120;

const common: OptionSpecs = {
  socket: {
    kind: "text",
    short: "s",
    placeholder: "PATH",
    help: "socket of the runtime (default: $CONTAINER_RUNTIME_ENDPOINT or /var/run/crio/crio.sock)",
  },
  output: { kind: "text", short: "o", placeholder: "FORMAT", help: "table for people (default), json for programs" },
  timeout: {
    kind: "text",
    placeholder: "SECONDS",
    help: `how long a call may take (default: ${defaultTimeoutSeconds})`,
  },
  help: { kind: "flag", short: "h", help: "show this" },
};

/** The process around `berth ctl`, so that tests can stand in for it. */
export interface Surroundings {
  stdout: Screen;
  stderr: Screen;
  environment: Readonly<Record<string, string | undefined>>;
}

/**
 * `berth ctl`: a debugging client for any CRI runtime. `argv` is what stands after `ctl`. Resolves with the exit status:
 * 0, 1 after an error that was printed to stderr, or that of the container's process for `run` and `exec`.
 */
export async function runCtl(
  argv: readonly string[],
  surroundings: Surroundings = { stdout: process.stdout, stderr: process.stderr, environment: process.env },
): Promise<number> {
  try {
    return await dispatch(argv, surroundings);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const hint = error instanceof UsageError ? "; see berth ctl --help" : "";
    surroundings.stderr.write(`berth ctl: ${message}${hint}\n`);
    // What is neither a refusal nor a mistake of ours to be read by a person is a bug: show where.
    if (!(error instanceof CtlError || error instanceof UsageError || isCallError(error))) throw error;
    return 1;
  }
}

async function dispatch(argv: readonly string[], { stdout, stderr, environment }: Surroundings): Promise<number> {
  const leading = parseArguments(argv, common, 1);
  const [word, ...rest] = leading.operands;
  if (word === undefined || word === "help") {
    stdout.write(overview());
    return word === undefined && !leading.flag("help") ? 1 : 0;
  }
  const subcommand = subcommands.find(({ name }) => name === word);
  if (subcommand === undefined) throw new UsageError(`unknown subcommand ${word}`);
  const own = parseArguments(rest, { ...subcommand.options, ...common }, subcommand.operandsBeforeCommand);
  if (leading.flag("help") || own.flag("help")) {
    stdout.write(helpOf(subcommand));
    return 0;
  }
  checkOperands(subcommand, own.operands.length);
  const chosen = (name: string): string | undefined => own.text(name) ?? leading.text(name);
  using client = connect(socketPath(chosen("socket") ?? environment["CONTAINER_RUNTIME_ENDPOINT"]), {
    defaultTimeoutMs: timeoutMs(chosen("timeout")),
  });
  using interruption = onInterrupt();
  return await subcommand.run({
    client,
    arguments: own,
    operands: own.operands,
    json: isJson(chosen("output")),
    stdout,
    stderr,
    signal: interruption.signal,
  });
}

function checkOperands({ name, operands, minOperands, maxOperands }: Subcommand, count: number): void {
  if (count < minOperands) throw new UsageError(`${name} needs ${operands}`);
  if (count > maxOperands) throw new UsageError(`${name} takes ${operands === "" ? "no operands" : operands}`);
}

function socketPath(written: string | undefined): string {
  return (written ?? defaultSocket).replace(/^unix:(\/\/)?/, "");
}

function timeoutMs(written: string | undefined): number {
  const seconds = written === undefined ? defaultTimeoutSeconds : Number(written);
  if (!Number.isFinite(seconds) || seconds < 0) throw new UsageError(`--timeout ${written} is not a number of seconds`);
  return seconds * 1000;
}

function isJson(written = "table"): boolean {
  if (written !== "table" && written !== "json") throw new UsageError(`--output ${written} is neither table nor json`);
  return written === "json";
}

/** The first interrupt asks to end in good order; a second one, unlistened, ends the process. */
function onInterrupt(): Disposable & { signal: AbortSignal } {
  const interruption = new AbortController();
  const abort = (): void => interruption.abort();
  process.once("SIGINT", abort);
  process.once("SIGTERM", abort);
  return {
    signal: interruption.signal,
    [Symbol.dispose]: () => {
      process.removeListener("SIGINT", abort);
      process.removeListener("SIGTERM", abort);
    },
  };
}

function isCallError(error: unknown): boolean {
  return error instanceof Error && error.name === "CriCallError";
}

function overview(): string {
  const width = Math.max(...subcommands.map(({ name }) => name.length));
  return [
    "Usage: berth ctl [OPTIONS] SUBCOMMAND ...",
    "",
    "Talks to a container runtime by its CRI socket, to look at it and to try it.",
    "",
    ...subcommands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    ...describeOptions(common),
    "",
  ].join("\n");
}

function helpOf({ name, operands, summary, options }: Subcommand): string {
  const usage = `Usage: berth ctl ${name} [OPTIONS] ${operands}`.trimEnd();
  return [usage, "", summary, "", ...describeOptions({ ...options, ...common }), ""].join("\n");
}
