import koffi from "koffi";
import { check, errnoName, libc, SystemError } from "#kernel/libc.ts";

const socketCall = libc.func("int socket(int domain, int type, int protocol)") as (
  domain: number,
  type: number,
  protocol: number,
) => number;
const connectCall = libc.func("int connect(int fd, void *address, unsigned int length)") as (
  fd: number,
  address: Buffer,
  length: number,
) => number;
const getsockopt = libc.func("int getsockopt(int fd, int level, int name, void *value, void *length)") as (
  fd: number,
  level: number,
  name: number,
  value: Buffer,
  length: Buffer,
) => number;

export type IpFamily = 4 | 6;

const addressFamilies: Record<IpFamily, number> = { 4: 2, 6: 10 };

/**
 * A TCP socket of the calling thread's network namespace, to which it belongs from then on whoever uses it. Gives a
 * non-blocking descriptor, which the caller closes.
 * @throws SystemError, with EAFNOSUPPORT where the kernel has no such family
 */
export function tcpSocket(family: IpFamily): number {
  const [stream, nonBlocking, closeOnExec] = [1, 0o4000, 0o2000000];
  return check(socketCall(addressFamilies[family], stream | nonBlocking | closeOnExec, 0), "socket");
}

/**
 * Begins to connect to a port of the loopback address of the socket's namespace. True when that is done already; else
 * the socket becomes writable when it is decided, and `connectError` tells how.
 * @throws SystemError
 */
export function connectToLoopback(fd: number, family: IpFamily, port: number): boolean {
  const address = family === 4 ? loopback4(port) : loopback6(port);
  if (connectCall(fd, address, address.length) === 0) return true;
  const errno = koffi.errno();
  if (errnoName(errno) === "EINPROGRESS") return false;
  throw new SystemError("connect", errno, endpoint(family, port));
}

/** Why connecting failed; undefined when it succeeded. */
export function connectError(fd: number, family: IpFamily, port: number): SystemError | undefined {
  const [socketLevel, socketError] = [1, 4];
  const value = Buffer.alloc(4);
  const length = Buffer.from([4, 0, 0, 0]);
  check(getsockopt(fd, socketLevel, socketError, value, length), "getsockopt");
  const errno = value.readInt32LE(0);
  return errno === 0 ? undefined : new SystemError("connect", errno, endpoint(family, port));
}

/** sockaddr_in for 127.0.0.1. */
function loopback4(port: number): Buffer {
  const address = Buffer.alloc(16);
  address.writeUInt16LE(addressFamilies[4], 0);
  address.writeUInt16BE(port, 2);
  address.writeUInt32BE(0x7f000001, 4);
  return address;
}

/** sockaddr_in6 for ::1. */
function loopback6(port: number): Buffer {
  const address = Buffer.alloc(28);
  address.writeUInt16LE(addressFamilies[6], 0);
  address.writeUInt16BE(port, 2);
  address.writeUInt8(1, 23);
  return address;
}

function endpoint(family: IpFamily, port: number): string {
  return family === 4 ? `127.0.0.1:${port}` : `[::1]:${port}`;
}
