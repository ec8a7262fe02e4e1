import { closeSync } from "node:fs";
import { DescriptorPoll } from "#kernel/descriptor-poll.ts";

const open = new Set<OwnedDescriptor>();

// When a thread dies, of an exception for one, Node closes its handles, but knows nothing of bare numbers: the other ends would wait for
// ever, and a monitor that nobody reads from cannot record how its container ended. A poll that finds the thread on its way out ends the
// whole program.
process.once("exit", () => {
  for (const descriptor of open) descriptor.close();
});

/** A descriptor that the calling thread has by its number alone. It is closed with the thread at the latest. */
export class OwnedDescriptor implements Disposable {
  readonly fd: number;
  #poll: DescriptorPoll | undefined;

  constructor(fd: number) {
    this.fd = fd;
    open.add(this);
  }

  /** Waits for it, until it is closed or handed over; to be called once. */
  poll(onReady: () => void): DescriptorPoll {
    return (this.#poll = new DescriptorPoll(this.fd, onReady));
  }

  /** Waits no more, and leaves closing the descriptor to the caller. */
  handOver(): number {
    this.#poll?.close();
    open.delete(this);
    return this.fd;
  }

  /** Idempotent; does nothing after `handOver`. */
  close(): void {
    if (open.has(this)) closeSync(this.handOver());
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
