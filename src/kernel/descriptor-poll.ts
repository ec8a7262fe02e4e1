import koffi from "koffi";

/** What a descriptor is waited for. */
export interface Wanted {
  readonly readable: boolean;
  readonly writable: boolean;
}

/**
 * Waits, in the event loop of the calling thread, for descriptors that Node has no stream for: sockets of packets,
 * terminals' master ends. The descriptor becomes non-blocking. koffi lends libuv's uv_poll(3) for that, without
 * documenting it; nothing else here knows.
 */
export class DescriptorPoll {
  readonly #handle: ReturnType<typeof koffi.node.poll>;
  readonly #onReady: () => void;
  #wanted: Wanted = { readable: false, writable: false };
  #scheduled: NodeJS.Immediate | undefined;
  #closed = false;

  /** `onReady` is called whenever something that is wanted may be possible; it tries, and takes EAGAIN for an answer. */
  constructor(fd: number, onReady: () => void) {
    this.#onReady = onReady;
    this.#handle = koffi.node.poll(fd, { readable: true }, this.#onEvent);
    this.#handle.stop();
  }

  /** Replaces what is waited for. */
  want(wanted: Wanted): void {
    const { readable, writable } = this.#wanted;
    if (this.#closed || (readable === wanted.readable && writable === wanted.writable)) return;
    this.#wanted = wanted;
    if (wanted.readable || wanted.writable) this.#handle.start({ ...wanted }, this.#onEvent);
    else this.#handle.stop();
  }

  /** Before the descriptor itself is closed. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearImmediate(this.#scheduled);
    this.#handle.close();
  }

  // koffi ends the program when its callback throws, and lets nothing of Node run after it: promises would stay pending.
  readonly #onEvent = (): void => {
    this.#scheduled ??= setImmediate(this.#deliver);
  };

  readonly #deliver = (): void => {
    this.#scheduled = undefined;
    if (!this.#closed) this.#onReady();
  };
}
