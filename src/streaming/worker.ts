import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import { workerEnvironment } from "#lib/worker-environment.ts";
import type { Logger } from "#observability/logger.ts";
import type { BackendModule } from "./backend.ts";
import type { StreamingOptions } from "./options.ts";
import type { StreamingServer, StreamingStats } from "./server.ts";
import type { LogLine } from "./worker-logger.ts";
import { WorkerRpc } from "./worker-rpc.ts";

/** What the worker is started with. */
export interface WorkerData {
  readonly options: Partial<StreamingOptions>;
  readonly backend: BackendModule;
}

/** Answers what the backend in the worker asks (`BackendContext.ask`). */
export type Answer = (method: string, payload: unknown) => Promise<unknown>;

/** Pause before a worker that died is replaced, so that one that cannot live does not spin. */
const restartDelayMs = 1000;
/** How long a worker may take to end on its own after its server has closed. */
const exitGraceMs = 2000;

/**
 * A streaming server in a thread of its own, so that the bytes of sessions never delay this one. The protocols and the
 * backend run there; calls, log lines and `answer` cross over. A worker that dies takes its sessions and URLs with it
 * and is replaced by one on the same port.
 */
export function startStreamingWorker(
  options: Partial<StreamingOptions>,
  backend: BackendModule,
  answer: Answer,
  logger: Logger,
): StreamingServer {
  return new WorkerStreamingServer({ options, backend }, answer, logger);
}

class WorkerStreamingServer implements StreamingServer {
  #data: WorkerData;
  readonly #answer: Answer;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  #worker: Worker | undefined;
  #rpc: WorkerRpc | undefined;

  constructor(data: WorkerData, answer: Answer, logger: Logger) {
    this.#data = data;
    this.#answer = answer;
    this.#logger = logger;
  }

  async listen(): Promise<{ host: string; port: number }> {
    const worker = new Worker(new URL("./worker-main.ts", import.meta.url), {
      name: "streaming",
      workerData: this.#data,
      env: workerEnvironment(),
      // Descriptors are made by the main thread and closed here; Node would warn of what this thread did not open.
      trackUnmanagedFds: false,
    });
    const rpc = new WorkerRpc(worker, (method, payload) => this.#serve(method, payload));
    let failure: unknown;
    worker.on("error", (error) => (failure = error));
    worker.on("exit", (code) => {
      const cause = failure === undefined ? `exit code ${code}` : messageOf(failure);
      rpc.close(new DomainError("unavailable", `the streaming worker is gone: ${cause}`));
      void this.#onExit(worker, cause);
    });
    try {
      const bound = (await rpc.call("listen", undefined)) as { host: string; port: number };
      if (this.#closing.signal.aborted) throw new DomainError("cancelled", "the streaming server was closed");
      this.#data = { ...this.#data, options: { ...this.#data.options, port: bound.port } };
      this.#worker = worker;
      this.#rpc = rpc;
      return bound;
    } catch (error) {
      await worker.terminate();
      throw error;
    }
  }

  async execUrl(request: unknown): Promise<string> {
    return (await this.#call("execUrl", request)) as string;
  }

  async attachUrl(request: unknown): Promise<string> {
    return (await this.#call("attachUrl", request)) as string;
  }

  async portForwardUrl(request: unknown): Promise<string> {
    return (await this.#call("portForwardUrl", request)) as string;
  }

  async reloadTls(): Promise<void> {
    await this.#call("reloadTls");
  }

  async stats(): Promise<StreamingStats> {
    return (await this.#call("stats")) as StreamingStats;
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    const worker = this.#worker;
    if (worker === undefined) return;
    const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    try {
      await this.#call("close");
    } finally {
      const timer = setTimeout(() => void worker.terminate(), exitGraceMs);
      await exited;
      clearTimeout(timer);
    }
  }

  #call(method: string, payload?: unknown): Promise<unknown> {
    if (this.#rpc === undefined)
      return Promise.reject(new DomainError("unavailable", "the streaming server is not listening"));
    return this.#rpc.call(method, payload);
  }

  async #serve(method: string, payload: unknown): Promise<unknown> {
    if (method !== "log") return this.#answer(method, payload);
    const { level, message, fields } = payload as LogLine;
    this.#logger[level](message, fields);
    return undefined;
  }

  /** Replaces a worker that had been serving; one that never did is reported by `listen`. */
  async #onExit(worker: Worker, cause: string): Promise<void> {
    if (this.#worker !== worker || this.#closing.signal.aborted) return;
    this.#worker = undefined;
    while (!this.#closing.signal.aborted) {
      this.#logger.error("streaming worker died, starting another", { cause });
      await delay(restartDelayMs, undefined, { signal: this.#closing.signal, ref: false }).catch(() => {});
      if (this.#closing.signal.aborted) return;
      try {
        await this.listen();
        return;
      } catch (error) {
        cause = messageOf(error);
      }
    }
  }
}
