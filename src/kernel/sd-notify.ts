import { closeSync } from "node:fs";
import { check, libc } from "#kernel/libc.ts";

const socketCall = libc.func("int socket(int domain, int type, int protocol)") as (
  domain: number,
  type: number,
  protocol: number,
) => number;
const sendto = libc.func(
  "long sendto(int fd, void *bytes, size_t length, int flags, void *address, uint32_t size)",
) as (fd: number, bytes: Buffer, length: number, flags: number, address: Buffer, size: number) => number;

const unixDomain = 1;
const datagramCloseOnExec = 2 | 0o2000000;
/** A daemon must not hang because its service manager does not read, nor die of SIGPIPE. */
const noWaitNoSignal = 0x40 | 0x4000;

/**
 * Sends a service's state to the service manager (sd_notify(3)): lines such as `READY=1`. `socketPath` is $NOTIFY_SOCKET; one that begins
 * with `@` is in the abstract namespace.
 * @throws SystemError when nobody listens there
 */
export function notifyServiceManager(socketPath: string, state: string): void {
  const fd = check(socketCall(unixDomain, datagramCloseOnExec, 0), "socket");
  try {
    const address = unixAddress(socketPath);
    const bytes = Buffer.from(state);
    check(sendto(fd, bytes, bytes.length, noWaitNoSignal, address, address.length), "sendto", socketPath);
  } finally {
    closeSync(fd);
  }
}

/** sockaddr_un: the family, then the path, whose length is known from the size of the whole. */
function unixAddress(socketPath: string): Buffer {
  const family = Buffer.alloc(2);
  family.writeUInt16LE(unixDomain);
  return Buffer.concat([family, Buffer.from(socketPath.replace(/^@/, "\0"))]);
}
