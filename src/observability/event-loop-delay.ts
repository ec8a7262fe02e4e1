import { monitorEventLoopDelay } from "node:perf_hooks";

/** Time between two samples: ten wake-ups a second cost next to nothing, and a stall of this length is never missed. */
const resolutionMs = 100;

/** Measures how late the event loop is. */
export class EventLoopDelay implements Disposable {
  readonly #histogram = monitorEventLoopDelay({ resolution: resolutionMs });

  constructor() {
    this.#histogram.enable();
  }

  /** Seconds beyond the time between two samples, since the last call; 0 before the first sample. */
  take(): { median: number; p99: number; max: number } {
    const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - resolutionMs / 1000);
    const histogram = this.#histogram;
    const taken = {
      median: late(histogram.percentile(50)),
      p99: late(histogram.percentile(99)),
      max: histogram.count === 0 ? 0 : late(histogram.max),
    };
    histogram.reset();
    return taken;
  }

  [Symbol.dispose](): void {
    this.#histogram.disable();
  }
}
