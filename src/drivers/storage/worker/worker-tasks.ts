import type { MessagePort } from "node:worker_threads";
import { kindOf, messageOf } from "#errors/domain-error.ts";
import { collectShared } from "#lib/collect-garbage.ts";
import type { FedRequest, FromWorker, Jobs, JobKind, TaskMessage } from "./protocol.ts";

/** Each leaves a few MiB of shared memory behind, which are freed when every thread that saw them has collected its garbage. */
const tasksPerCollection = 8;

/** A job that is fed with data. */
export interface Consumer extends Disposable {
  /** Resolves when `bytes` may be reused. */
  write(bytes: Buffer): Promise<void>;
  end(): Promise<Jobs[JobKind]["result"]>;
}

/** The tasks of one worker thread, on its side: runs their steps, tells the pool how they end, and lets go of what they hold. */
export class WorkerTasks {
  readonly #port: MessagePort;
  /** Tasks under way, with what they hold. */
  readonly #running = new Map<number, Disposable | undefined>();
  #ended = 0;
  readonly #fed = new Map<number, { consumer: Consumer; request: FedRequest }>();

  constructor(port: MessagePort) {
    this.#port = port;
  }

  /** A task that is over when `work` returns. */
  atOnce(task: number, work: () => Jobs[JobKind]["result"]): void {
    this.#running.set(task, undefined);
    this.#step(task, () => this.#finish(task, work()));
  }

  /** A task that goes on with data from the main thread. */
  feed(task: number, request: FedRequest, begin: () => Consumer): void {
    this.#running.set(task, undefined);
    this.#step(task, () => {
      const consumer = begin();
      this.#running.set(task, consumer);
      this.#fed.set(task, { consumer, request });
    });
  }

  /** A task that goes on by itself: it runs its further steps by `guard`, and calls `done` when it is over. */
  begin(
    task: number,
    start: (steps: { guard(step: () => void): void; done(result: Jobs[JobKind]["result"]): void }) => Disposable,
  ): void {
    this.#running.set(task, undefined);
    const guard = (work: () => void): void => {
      if (this.#running.has(task)) this.#step(task, work);
    };
    this.#step(
      task,
      () => void this.#running.set(task, start({ guard, done: (result) => this.#finish(task, result) })),
    );
  }

  /** What comes for a task after its request. */
  receive(message: TaskMessage): void {
    const { task } = message;
    switch (message.kind) {
      case "data":
        return this.#take(task, message.slot, message.length);
      case "end":
        return this.#step(task, async () => {
          const consumer = this.#fed.get(task)?.consumer;
          if (consumer !== undefined) this.#finish(task, await consumer.end());
        });
      case "abort":
        return this.#step(task, () => {
          throw new Error("stopped");
        });
    }
  }

  #take(task: number, slot: number, length: number): void {
    this.#step(task, async () => {
      const feeding = this.#fed.get(task);
      if (feeding === undefined) return;
      const { memory, slotBytes } = feeding.request;
      await feeding.consumer.write(Buffer.from(memory, slot * slotBytes, length));
      if (this.#running.has(task)) this.#send({ kind: "taken", task, slot, length });
    });
  }

  /** Runs one step of a task; a failure is its last word. */
  #step(task: number, work: () => void | Promise<void>): void {
    const fail = (error: unknown): void => {
      if (!this.#release(task)) return;
      this.#send({ kind: "failed", task, error: { kind: kindOf(error), message: messageOf(error) } });
    };
    try {
      work()?.catch(fail);
    } catch (error) {
      fail(error);
    }
  }

  #finish(task: number, result: Jobs[JobKind]["result"]): void {
    if (this.#release(task)) this.#send({ kind: "done", task, result });
  }

  /** Ends a task; `false` when it had ended before. */
  #release(task: number): boolean {
    this.#running.get(task)?.[Symbol.dispose]();
    this.#fed.delete(task);
    if (!this.#running.delete(task)) return false;
    this.#ended += 1;
    if (this.#ended % tasksPerCollection === 0) setImmediate(collectShared);
    return true;
  }

  #send(message: FromWorker): void {
    this.#port.postMessage(message);
  }
}
