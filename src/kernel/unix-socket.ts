import { closeSync, constants, openSync } from "node:fs";
import koffi from "koffi";
import { check, libc } from "#kernel/libc.ts";

const socketCall = libc.func("int socket(int domain, int type, int protocol)") as (
  domain: number,
  type: number,
  protocol: number,
) => number;
const connectCall = libc.func("int connect(int fd, void *address, unsigned int length)") as SocketAddressCall;
const bindCall = libc.func("int bind(int fd, void *address, unsigned int length)") as SocketAddressCall;
const listenCall = libc.func("int listen(int fd, int backlog)") as (fd: number, backlog: number) => number;
const acceptCall = libc.func("int accept4(int fd, void *address, void *length, int flags)") as (
  fd: number,
  address: null,
  length: null,
  flags: number,
) => number;
const recvmsg = libc.func("int64_t recvmsg(int fd, void *message, int flags)") as (
  fd: number,
  message: Buffer,
  flags: number,
) => number;
const shutdownCall = libc.func("int shutdown(int fd, int how)") as (fd: number, how: number) => number;

type SocketAddressCall = (fd: number, address: Buffer, length: number) => number;

const unix = 1;
const stream = 1;
const packets = 5;
const nonBlocking = 0o4000;
const closeOnExec = 0o2000000;
// Not among Node's constants.
const openPath = 0o10000000;

/**
 * Connects to a socket of type SOCK_SEQPACKET: each write is one packet, each read gives one. The path may be of any
 * length. Gives a non-blocking descriptor, which the caller closes.
 * @throws SystemError, with EAGAIN when the listener has too many waiting
 */
export function connectPacketSocket(path: string): number {
  const place = openSync(path, openPath | closeOnExec);
  try {
    return connected(packets, socketAddress(`/proc/self/fd/${place}`), path);
  } finally {
    closeSync(place);
  }
}

function connected(type: number, address: Buffer, path: string): number {
  const fd = check(socketCall(unix, type | nonBlocking | closeOnExec, 0), "socket", path);
  try {
    check(connectCall(fd, address, address.length), "connect", path);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/**
 * Listens for stream connections at a path, which must be free and is the caller's to remove. Gives a non-blocking
 * descriptor, which the caller closes.
 * @throws SystemError
 */
export function listenOnUnixSocket(path: string): number {
  const directory = openSync(path.slice(0, path.lastIndexOf("/") + 1), constants.O_DIRECTORY | openPath | closeOnExec);
  const fd = socketCall(unix, stream | nonBlocking | closeOnExec, 0);
  try {
    check(fd, "socket", path);
    const address = socketAddress(`/proc/self/fd/${directory}/${path.slice(path.lastIndexOf("/") + 1)}`);
    check(bindCall(fd, address, address.length), "bind", path);
    check(listenCall(fd, 1), "listen", path);
    return fd;
  } catch (error) {
    if (fd >= 0) closeSync(fd);
    throw error;
  } finally {
    closeSync(directory);
  }
}

/** sockaddr_un: a path of up to 107 bytes, ended by a zero. */
function socketAddress(path: string): Buffer {
  const address = Buffer.alloc(110);
  address.writeUInt16LE(unix, 0);
  if (address.write(path, 2) !== Buffer.byteLength(path) || Buffer.byteLength(path) > 107)
    throw new RangeError(`${path} is too long for a unix socket`);
  return address;
}

/**
 * The descriptor that the first waiting client of a listening socket has sent (SCM_RIGHTS). The caller closes it.
 * @throws SystemError, with EAGAIN when nobody has connected or nothing was sent yet
 */
export function acceptDescriptor(listening: number): number {
  const connection = check(acceptCall(listening, null, null, nonBlocking | closeOnExec), "accept4");
  try {
    return receiveDescriptor(connection);
  } finally {
    closeSync(connection);
  }
}

/** recvmsg(2) with room for one descriptor; the structures are those of 64-bit Linux. */
function receiveDescriptor(connection: number): number {
  const data = Buffer.alloc(4096);
  const vector = Buffer.alloc(16);
  vector.writeBigUInt64LE(koffi.address(data), 0);
  vector.writeBigUInt64LE(BigInt(data.length), 8);
  const control = Buffer.alloc(24);
  const message = Buffer.alloc(56);
  message.writeBigUInt64LE(koffi.address(vector), 16);
  message.writeBigUInt64LE(1n, 24);
  message.writeBigUInt64LE(koffi.address(control), 32);
  message.writeBigUInt64LE(BigInt(control.length), 40);
  const closeReceivedOnExec = 0x40000000;
  check(recvmsg(connection, message, closeReceivedOnExec), "recvmsg");
  const [socketLevel, rights, oneDescriptor] = [1, 1, 20n];
  const isDescriptor =
    control.readBigUInt64LE(0) === oneDescriptor &&
    control.readInt32LE(8) === socketLevel &&
    control.readInt32LE(12) === rights;
  if (!isDescriptor) throw new Error("a message without a descriptor came where one was awaited");
  return control.readInt32LE(16);
}

/** Tells the other side that no more will be written; reading goes on. @throws SystemError */
export function shutdownWriting(fd: number): void {
  const write = 1;
  check(shutdownCall(fd, write), "shutdown");
}
