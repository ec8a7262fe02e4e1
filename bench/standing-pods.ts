import type { Daemon } from "./daemons/daemon.ts";
import { inParallel } from "./measure/in-parallel.ts";
import { removePods, startPod, type Pod } from "./pods.ts";

const atOnce = 4;

/** Pods that are just there while something else is measured, each with one container. */
export class StandingPods {
  readonly #daemon: Daemon;
  readonly #image: string;
  readonly #signal: AbortSignal;
  #pods: Pod[] = [];

  constructor(daemon: Daemon, image: string, signal: AbortSignal) {
    this.#daemon = daemon;
    this.#image = image;
    this.#signal = signal;
  }

  get pods(): readonly Pod[] {
    return this.#pods;
  }

  /** Starts or removes pods until there are `count`. */
  async resize(count: number): Promise<void> {
    const superfluous = this.#pods.splice(count);
    await removePods(this.#daemon, superfluous, atOnce);
    await inParallel(count - this.#pods.length, atOnce, async () => {
      this.#signal.throwIfAborted();
      const { pod } = await startPod(this.#daemon, this.#image);
      this.#pods.push(pod);
    });
  }
}
