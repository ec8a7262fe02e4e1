import type { MessagePort } from "node:worker_threads";

/** Large enough that waking the other thread costs little beside the work on it, small enough to stay in the processor's cache. */
const slotBytes = 512 * 1024;
const slotCount = 6;
/** Slots go back in batches: each message wakes the other thread, which then takes the processor from this one. */
const batch = 3;

type FromSender =
  | { kind: "memory"; memory: SharedArrayBuffer }
  | { kind: "filled"; slot: number; length: number }
  | { kind: "end" };

/** The receiver gives slots back by their numbers. */
type FromReceiver = number[];

function slotsOf(memory: SharedArrayBuffer): Buffer[] {
  return Array.from({ length: slotCount }, (_, slot) => Buffer.from(memory, slot * slotBytes, slotBytes));
}

/**
 * Carries a layer's tar from the thread that inflates it to the one that writes its files, through a few slots of memory that
 * both see: no bytes are copied by messages, and the faster of the two waits for the other.
 */
export class TarSender implements Disposable {
  readonly #port: MessagePort;
  readonly #slots: Buffer[];
  readonly #free = Array.from({ length: slotCount }, (_, slot) => slot);
  #filling: { slot: number; length: number } | undefined;
  #freed: (() => void) | undefined;

  constructor(port: MessagePort) {
    this.#port = port;
    const memory = new SharedArrayBuffer(slotCount * slotBytes);
    this.#slots = slotsOf(memory);
    port.on("message", (slots: FromReceiver) => {
      this.#free.push(...slots);
      this.#freed?.();
    });
    this.#post({ kind: "memory", memory });
  }

  /** Takes the bytes over; when that has to wait for a slot, it resolves once they are taken. One call at a time. */
  send(bytes: Buffer): Promise<void> | undefined {
    let offset = 0;
    while (offset < bytes.length) {
      const filling = this.#filling ?? this.#begin();
      if (filling === undefined) return this.#sendLater(bytes.subarray(offset));
      const slot = this.#slots[filling.slot];
      if (slot === undefined) throw new Error(`there is no slot ${filling.slot}`);
      const copied = bytes.copy(slot, filling.length, offset);
      filling.length += copied;
      offset += copied;
      if (filling.length === slotBytes) this.#flush();
    }
    return undefined;
  }

  /** All has been sent, and it is what the image's config says. */
  end(): void {
    this.#flush();
    this.#post({ kind: "end" });
  }

  [Symbol.dispose](): void {
    this.#port.close();
  }

  async #sendLater(bytes: Buffer): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#freed = resolve;
    });
    this.#freed = undefined;
    await this.send(bytes);
  }

  #begin(): { slot: number; length: number } | undefined {
    const slot = this.#free.pop();
    if (slot !== undefined) this.#filling = { slot, length: 0 };
    return this.#filling;
  }

  #flush(): void {
    const filled = this.#filling;
    this.#filling = undefined;
    if (filled !== undefined) this.#post({ kind: "filled", ...filled });
  }

  #post(message: FromSender): void {
    this.#port.postMessage(message);
  }
}

/** What a `TarReceiver` does with the tar. */
export interface TarSink {
  /** Bytes that are only valid during the call. */
  write(bytes: Buffer): void;
  /** The tar is complete and verified. */
  end(): void;
}

/** The other end of a `TarSender`. */
export class TarReceiver implements Disposable {
  readonly #port: MessagePort;
  #slots: Buffer[] = [];
  #done: number[] = [];

  /** `guard` runs each step, and stops this when one fails. */
  constructor(port: MessagePort, sink: TarSink, guard: (step: () => void) => void) {
    this.#port = port;
    port.on("message", (message: FromSender) => guard(() => this.#receive(message, sink)));
  }

  [Symbol.dispose](): void {
    this.#port.close();
  }

  #receive(message: FromSender, sink: TarSink): void {
    switch (message.kind) {
      case "memory":
        this.#slots = slotsOf(message.memory);
        return;
      case "filled": {
        const slot = this.#slots[message.slot];
        if (slot === undefined) throw new Error(`there is no slot ${message.slot}`);
        sink.write(slot.subarray(0, message.length));
        this.#giveBack(message.slot);
        return;
      }
      case "end":
        sink.end();
    }
  }

  #giveBack(slot: number): void {
    this.#done.push(slot);
    if (this.#done.length < batch) return;
    this.#port.postMessage(this.#done satisfies FromReceiver);
    this.#done = [];
  }
}
