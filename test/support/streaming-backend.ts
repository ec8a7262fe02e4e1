import { createHash } from "node:crypto";
import { once } from "node:events";
import { Readable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import type { Duplex } from "node:stream";
import { DomainError } from "#errors/domain-error.ts";
import type {
  BackendContext,
  ExecRequest,
  PortForwardRequest,
  SessionStreams,
  StreamingBackend,
} from "#streaming/backend.ts";

type Program = (streams: SessionStreams, signal: AbortSignal, args: readonly string[]) => Promise<number>;

/** Commands that need no process. */
const programs: Readonly<Record<string, Program>> = {
  /** Copies stdin to stdout. */
  async cat({ stdin, stdout }, signal) {
    if (stdin !== undefined && stdout !== undefined) await pipeline(stdin, stdout, { signal });
    return 0;
  },
  /** Writes SHA-256 of stdin to stdout. */
  async hash({ stdin, stdout }, signal) {
    const hash = createHash("sha256");
    if (stdin !== undefined) await pipeline(stdin, hash, { signal });
    stdout?.write(hash.digest("hex"));
    return 0;
  },
  /** Writes as many MiB to stdout as the argument says. */
  async pour({ stdout }, signal, [mebibytes = "1"]) {
    if (stdout !== undefined) await pipeline(Readable.from(pattern(Number(mebibytes))), stdout, { signal });
    return 0;
  },
  async exit({ stdout, stderr }, _signal, [code = "0"]) {
    stdout?.write("to stdout");
    stderr?.write("to stderr");
    return Number(code);
  },
  /** Says what sizes it is told until the client closes the stream of sizes. */
  async sizes({ stdout, resize }) {
    for await (const { width, height } of resize) stdout?.write(`${width}x${height} `);
    return 0;
  },
  /** Takes one byte of stdin and ends. */
  async first({ stdin, stdout }) {
    if (stdin === undefined) return 1;
    await once(stdin, "readable");
    const bytes: unknown = stdin.read(1);
    if (Buffer.isBuffer(bytes)) stdout?.write(bytes);
    return 0;
  },
  /** Reads nothing and waits to be told to stop. */
  async hang(_streams, signal) {
    if (!signal.aborted) await once(signal, "abort");
    throw signal.reason;
  },
  async fail() {
    throw new DomainError("not-found", "container c1 has no such command");
  },
};

/** A repeating MiB, made without holding more than one. */
export function* pattern(mebibytes: number): Generator<Buffer> {
  const block = Buffer.alloc(64 * 1024, "The quick brown fox. ");
  for (let count = 0; count < mebibytes * 16; count += 1) yield block;
}

export const refusingPort = 1;
export const breakingPort = 2;
export const hangingPort = 3;

/** A backend whose commands and ports are all made up, and that keeps account of what runs. */
export class FakeStreamingBackend implements StreamingBackend {
  running = 0;
  readonly abortReasons: string[] = [];
  closed = false;

  async exec(request: ExecRequest, streams: SessionStreams, signal: AbortSignal): Promise<{ exitCode: number }> {
    const [name = "", ...args] = request.command;
    const program = programs[name];
    if (program === undefined) throw new DomainError("not-found", `no program ${name}`);
    return { exitCode: await this.#account(signal, () => program(streams, signal, args)) };
  }

  async attach(_request: unknown, { stdin, stdout }: SessionStreams, signal: AbortSignal): Promise<void> {
    await this.#account(signal, async () => {
      stdout?.write("attached ");
      if (stdin !== undefined && stdout !== undefined) await pipeline(stdin, stdout, { signal });
    });
  }

  /** Echoes, except on the three ports that misbehave. */
  async portForward(_request: PortForwardRequest, port: number, stream: Duplex, signal: AbortSignal): Promise<void> {
    await this.#account(signal, async () => {
      if (port === refusingPort) {
        // What pipeline() does when its other stream fails.
        stream.destroy();
        throw new DomainError("unavailable", "connection refused");
      }
      if (port === breakingPort) {
        await once(stream, "data");
        throw new DomainError("aborted", "connection reset by peer");
      }
      if (port === hangingPort) {
        if (!signal.aborted) await once(signal, "abort");
        return;
      }
      stream.pipe(stream);
      await finished(stream, { signal });
    });
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  async #account<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    this.running += 1;
    signal.addEventListener("abort", () => this.abortReasons.push(String(signal.reason)));
    try {
      return await work();
    } finally {
      this.running -= 1;
    }
  }
}

/** For the worker: a backend that asks the other thread for what it is to write to stdout. */
export function createBackend({ config, ask }: BackendContext): StreamingBackend {
  const backend = new FakeStreamingBackend();
  const exec = backend.exec.bind(backend);
  backend.exec = async (request, streams, signal) => {
    const [name = "", ...args] = request.command;
    if (name === "crash") setImmediate(() => process.exit(3));
    if (name !== "ask") return exec(request, streams, signal);
    streams.stdout?.write(`${String(config)}: ${String(await ask("greet", args))}`);
    return { exitCode: 0 };
  };
  return backend;
}
