import { type MessagePort, Worker } from "node:worker_threads";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import { workerEnvironment } from "#lib/worker-environment.ts";
import type { FromWorker, JobKind, Jobs, ToWorker } from "./protocol.ts";

/** A piece of work that runs in a worker. */
export interface Task<K extends JobKind> {
  /** Settles once, when the worker holds nothing of the task any more. */
  readonly done: Promise<Jobs[K]["result"]>;
  /** Hands `length` bytes of a slot of the request's memory over; it must not be touched until `onTaken` brings it back. */
  data(slot: number, length: number): void;
  /** No more data. */
  end(): void;
  /** Makes `done` reject soon. */
  abort(): void;
}

export type OnTaken = (slot: number, length: number) => void;

export type WorkerEntry = "./storage-worker.ts" | "./inflate-worker.ts";

interface Running {
  onTaken: OnTaken;
  resolve: (result: Jobs[JobKind]["result"]) => void;
  reject: (error: unknown) => void;
}

interface Member {
  worker: Worker;
  tasks: Map<number, Running>;
  idleTimer: NodeJS.Timeout | undefined;
}

/**
 * Worker threads that are started when there is work and stopped after some idle seconds. A worker interleaves the tasks that
 * take data; each task goes to the worker with the fewest.
 */
export class WorkerPool {
  readonly #size: number;
  readonly #idleMs: number;
  readonly #name: string;
  readonly #entry: URL;
  readonly #members = new Set<Member>();
  readonly #exits = new Set<Promise<unknown>>();
  #nextTask = 1;
  #closed = false;

  /** `entry` is the file that the threads run; it decides what jobs they take. */
  constructor(options: { name: string; entry?: WorkerEntry; size: number; idleMs: number }) {
    this.#name = options.name;
    this.#entry = new URL(options.entry ?? "./storage-worker.ts", import.meta.url);
    this.#size = options.size;
    this.#idleMs = options.idleMs;
  }

  /** Starts a task. @throws DomainError aborted when the pool is closed */
  start<K extends JobKind>(
    kind: K,
    request: Jobs[K]["request"],
    { onTaken = () => undefined, transfer = [] }: { onTaken?: OnTaken; transfer?: MessagePort[] } = {},
  ): Task<K> {
    if (this.#closed) throw new DomainError("aborted", "the storage is shutting down");
    const member = this.#pick();
    const task = this.#nextTask;
    this.#nextTask += 1;
    const done = Promise.withResolvers<Jobs[JobKind]["result"]>();
    member.tasks.set(task, { onTaken, resolve: done.resolve, reject: done.reject });
    const post = (message: ToWorker, ports: MessagePort[] = []): void => {
      if (member.tasks.has(task)) member.worker.postMessage(message, ports);
    };
    post({ kind, task, request } as ToWorker, transfer);
    return {
      done: done.promise,
      data: (slot, length) => post({ kind: "data", task, slot, length }),
      end: () => post({ kind: "end", task }),
      abort: () => post({ kind: "abort", task }),
    };
  }

  /** Stops all workers; tasks under way fail. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const member of this.#members) this.#stop(member);
    await Promise.all(this.#exits);
  }

  #pick(): Member {
    let best: Member | undefined;
    for (const member of this.#members) if (best === undefined || member.tasks.size < best.tasks.size) best = member;
    if (best === undefined || (best.tasks.size > 0 && this.#members.size < this.#size)) best = this.#add();
    clearTimeout(best.idleTimer);
    best.worker.ref();
    return best;
  }

  #add(): Member {
    const worker = new Worker(this.#entry, {
      name: this.#name,
      env: workerEnvironment(),
      resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 192 },
    });
    const member: Member = { worker, tasks: new Map(), idleTimer: undefined };
    this.#members.add(member);
    worker.on("message", (message: FromWorker) => this.#receive(member, message));
    worker.on("error", (error: Error) => this.#lost(member, error));
    const exit = new Promise<void>((resolve) => {
      worker.once("exit", () => {
        this.#lost(member, undefined);
        this.#exits.delete(exit);
        resolve();
      });
    });
    this.#exits.add(exit);
    return member;
  }

  #receive(member: Member, message: FromWorker): void {
    const running = member.tasks.get(message.task);
    if (running === undefined) return;
    if (message.kind === "taken") {
      running.onTaken(message.slot, message.length);
      return;
    }
    member.tasks.delete(message.task);
    if (message.kind === "done") running.resolve(message.result);
    else running.reject(new DomainError(message.error.kind, message.error.message));
    if (member.tasks.size === 0) this.#rest(member);
  }

  /** An idle worker does not keep the process alive, and is stopped after a while. */
  #rest(member: Member): void {
    member.worker.unref();
    member.idleTimer = setTimeout(() => this.#stop(member), this.#idleMs).unref();
  }

  #stop(member: Member): void {
    this.#members.delete(member);
    clearTimeout(member.idleTimer);
    void member.worker.terminate();
  }

  #lost(member: Member, error: Error | undefined): void {
    this.#members.delete(member);
    clearTimeout(member.idleTimer);
    const reason = this.#closed ? "the storage is shutting down" : messageOf(error ?? "it ended");
    for (const running of member.tasks.values()) {
      running.reject(
        new DomainError(this.#closed ? "aborted" : "internal", `the ${this.#name} worker failed: ${reason}`),
      );
    }
    member.tasks.clear();
  }
}
