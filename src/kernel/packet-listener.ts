import { closeSync } from "node:fs";
import { check, libc } from "#kernel/libc.ts";

const socket = libc.func("int socket(int, int, int)") as (domain: number, type: number, protocol: number) => number;
const bind = libc.func("int bind(int, void *, unsigned int)") as (
  fd: number,
  address: Buffer,
  length: number,
) => number;
const listen = libc.func("int listen(int, int)") as (fd: number, backlog: number) => number;
const accept = libc.func("int accept(int, void *, void *)") as (fd: number, address: null, length: null) => number;

const unix = 1;
const packets = 5;

/** For tests: listens at `file` with a socket of type SOCK_SEQPACKET, as conmon does for those who attach. Undone by disposing. */
export class PacketListener implements Disposable {
  readonly #fd = check(socket(unix, packets, 0), "socket");

  constructor(file: string) {
    const address = unixAddress(file);
    check(bind(this.#fd, address, address.length), "bind", file);
    check(listen(this.#fd, 1), "listen", file);
  }

  /** Our end of the next client's connection, which the caller closes. Waits for one. */
  accept(): number {
    return check(accept(this.#fd, null, null), "accept");
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** For tests: `file` as a struct sockaddr_un, unix(7). */
export function unixAddress(file: string): Buffer {
  const address = Buffer.alloc(110);
  address.writeUInt16LE(unix);
  address.write(file, 2);
  return address;
}
