import { type Readable, Writable } from "node:stream";
import type { Carriers, StdioEnds, Terminal } from "#drivers/streams/index.ts";
import type { Logger } from "#observability/logger.ts";
import type { ExecRequest, SessionStreams } from "#streaming/backend.ts";
import { copyOutput, feed } from "./pump.ts";
import type { Ask } from "./questions.ts";
import { followSize } from "./terminal-size.ts";

/** How long output may be silent after the end of a command before what still could come is given up. */
const quietMs = 1000;

/** Runs a command with the client's streams as its own; it is killed with all its children when the client is gone. */
export async function exec(
  carriers: Carriers,
  ask: Ask,
  logger: Logger,
  request: ExecRequest,
  streams: SessionStreams,
  signal: AbortSignal,
): Promise<{ exitCode: number }> {
  const { session, stdio } = await ask("startExec", request);
  const { input, outputs, terminal } = carry(carriers, stdio, streams);
  const ended = ask("execEnded", { session });
  const kill = (): void => void ask("killExec", { session }).catch(() => {});
  signal.addEventListener("abort", kill);
  if (signal.aborted) kill();
  try {
    if (streams.stdin !== undefined && input !== undefined) feed(streams.stdin, input);
    if (terminal !== undefined) void followSize(streams.resize, (size) => terminal.resize(size), logger);
    await Promise.all(outputs.map(({ from, to }) => copyOutput(from, to, ended, quietMs)));
    return { exitCode: await ended };
  } finally {
    signal.removeEventListener("abort", kill);
    for (const { from } of outputs) from.destroy();
    input?.destroy();
  }
}

interface Carried {
  readonly input?: Writable;
  readonly outputs: readonly { from: Readable; to: Writable }[];
  readonly terminal?: Terminal;
}

/** Takes over the descriptors. */
function carry(carriers: Carriers, stdio: StdioEnds, { stdout, stderr }: SessionStreams): Carried {
  if (stdio.terminal !== undefined) {
    const terminal = carriers.terminal(stdio.terminal);
    return { input: terminal, outputs: [{ from: terminal, to: stdout ?? nowhere() }], terminal };
  }
  const outputs = [
    { fd: stdio.stdout, to: stdout },
    { fd: stdio.stderr, to: stderr },
  ].flatMap(({ fd, to }) => (fd === undefined ? [] : [{ from: carriers.pipeSource(fd), to: to ?? nowhere() }]));
  return { outputs, ...(stdio.stdin === undefined ? {} : { input: carriers.pipeSink(stdio.stdin) }) };
}

function nowhere(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
