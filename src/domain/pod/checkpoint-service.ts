import { DomainError } from "#errors/domain-error.ts";
import { checkpointContainer } from "#domain/container/checkpoint/checkpoint-container.ts";
import type { Checkpoints } from "#domain/runtime.ts";
import { KeyedMutex } from "#lib/keyed-mutex.ts";
import { longestTimerMs } from "#lib/longest-timer.ts";
import type { PodDrivers } from "./pod-drivers.ts";

/** Checkpoints as the edges see them: one at a time per container. */
export class CheckpointService implements Checkpoints {
  readonly #drivers: PodDrivers;
  readonly #locks = new KeyedMutex<string>();

  constructor(drivers: PodDrivers) {
    this.#drivers = drivers;
  }

  async create(containerId: string, location: string, timeoutSeconds: number): Promise<void> {
    const { container: parts } = this.#drivers;
    const { id } = parts.store.index.get(containerId);
    using deadline = new Deadline(id, timeoutSeconds);
    await this.#locks.run(id, () => {
      deadline.signal.throwIfAborted();
      return checkpointContainer(parts, parts.store.index.get(id), location, deadline.signal);
    });
  }
}

/** Aborts when the time for a checkpoint is over; 0 gives all the time there is. */
class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(containerId: string, timeoutSeconds: number) {
    if (timeoutSeconds <= 0) return;
    const error = new DomainError(
      "deadline-exceeded",
      `container ${containerId}: its checkpoint was not ready after ${timeoutSeconds} s and was given up; the container goes on`,
    );
    this.#timer = setTimeout(() => this.#controller.abort(error), Math.min(timeoutSeconds * 1000, longestTimerMs));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
