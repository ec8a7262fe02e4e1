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
  // Also says that the descriptors are ours, whatever becomes of them: hence before anything that may fail.
  const ended = ask("execEnded", { session });
  const kill = (): void => void ask("killExec", { session }).catch(() => {});
  let carried: Carried;
  try {
    carried = carry(carriers, stdio, streams);
  } catch (error) {
    kill();
    await ended.catch(() => {});
    throw error;
  }
  const { input, outputs, terminal } = carried;
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
  readonly input: Writable | undefined;
  readonly outputs: readonly { from: Readable; to: Writable }[];
  readonly terminal: Terminal | undefined;
}

/** Takes over the descriptors; closes all of them when one cannot be carried. */
function carry(carriers: Carriers, stdio: StdioEnds, { stdout, stderr }: SessionStreams): Carried {
  using undo = new DisposableStack();
  const left = new Set([stdio.stdin, stdio.stdout, stdio.stderr, stdio.terminal].filter((fd) => fd !== undefined));
  undo.defer(() => left.forEach((fd) => carriers.close(fd)));
  const taken = <S extends Readable | Writable>(fd: number | undefined, by: (fd: number) => S): S | undefined => {
    if (fd === undefined) return undefined;
    left.delete(fd);
    return undo.adopt(by(fd), (stream) => void stream.destroy());
  };
  const terminal = taken(stdio.terminal, (fd) => carriers.terminal(fd));
  const outputs = [
    { from: terminal ?? taken(stdio.stdout, (fd) => carriers.pipeSource(fd)), to: stdout },
    { from: taken(stdio.stderr, (fd) => carriers.pipeSource(fd)), to: stderr },
  ].flatMap(({ from, to }) => (from === undefined ? [] : [{ from, to: to ?? nowhere() }]));
  const input = terminal ?? taken(stdio.stdin, (fd) => carriers.pipeSink(fd));
  undo.move();
  return { input, outputs, terminal };
}

function nowhere(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
