import { closeSync } from "node:fs";
import type { MessagePort } from "node:worker_threads";
import { openDirectory, type ThreadRoot } from "#kernel/chroot.ts";
import { TarReader } from "../tar/reader.ts";
import { LayerWriter, type WrittenLayer } from "./layer-writer.ts";
import { TarReceiver } from "./tar-slots.ts";

export interface UnpackRequest {
  /** An empty directory; the layer's root. */
  directory: string;
  maxEntries: number;
  /** From the `LayerInflater`. */
  tar: MessagePort;
}

/** How an unpacker runs its steps and says that it is done. */
export interface UnpackSteps {
  /** A step that fails ends the task. */
  guard(step: () => void): void;
  done(written: WrittenLayer): void;
}

/** Writes the files of one layer, whose tar comes from the thread that inflates it. */
export class LayerUnpacker {
  readonly #root: ThreadRoot;
  readonly #directoryFd: number;
  readonly #writer: LayerWriter;
  readonly #reader: TarReader;
  readonly #tar: TarReceiver;

  constructor(request: UnpackRequest, root: ThreadRoot, steps: UnpackSteps) {
    this.#root = root;
    this.#writer = new LayerWriter(request.maxEntries);
    this.#reader = new TarReader(this.#writer);
    this.#directoryFd = openDirectory(request.directory);
    const sink = { write: (bytes: Buffer) => this.#write(bytes), end: () => steps.done(this.#finish()) };
    this.#tar = new TarReceiver(request.tar, sink, (step) => steps.guard(step));
  }

  /** Lets go of files and memory; what is on disk is the caller's to remove. */
  [Symbol.dispose](): void {
    this.#tar[Symbol.dispose]();
    this.#writer[Symbol.dispose]();
    closeSync(this.#directoryFd);
  }

  #write(bytes: Buffer): void {
    this.#root.inside(this.#directoryFd, () => this.#reader.write(bytes));
  }

  #finish(): WrittenLayer {
    this.#reader.end();
    return this.#root.inside(this.#directoryFd, () => this.#writer.finish());
  }
}
