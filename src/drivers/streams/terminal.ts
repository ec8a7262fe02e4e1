import { resizeTerminal } from "#kernel/terminal.ts";
import { DescriptorStream } from "./descriptor-stream.ts";
import type { Terminal, TerminalSize } from "./index.ts";

/** The master end of a pseudo-terminal (pty(7)). */
export class TerminalStream extends DescriptorStream implements Terminal {
  constructor(fd: number) {
    super(fd, {
      packets: false,
      maxWriteBytes: 4096,
      // Linux says EIO once the last process has closed its end.
      endErrors: ["EIO"],
      passingErrors: [],
      goneErrors: [],
      // A terminal has no half-close: its end of file is a character that is typed.
      endWriting() {},
    });
  }

  resize(size: TerminalSize): void {
    if (!this.destroyed) resizeTerminal(this.fd, size);
  }
}
