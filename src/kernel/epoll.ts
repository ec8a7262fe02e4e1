import koffi from "koffi";
import { hasErrno } from "#errors/domain-error.ts";
import { check, libc, SystemError } from "#kernel/libc.ts";

const epollCreate = libc.func("int epoll_create1(int flags)") as (flags: number) => number;
const epollCtl = libc.func("int epoll_ctl(int epfd, int op, int fd, void *event)") as (
  epfd: number,
  op: number,
  fd: number,
  event: Buffer,
) => number;
const epollWait = libc.func("int epoll_wait(int epfd, void *events, int max, int timeout)") as (
  epfd: number,
  events: Buffer,
  max: number,
  timeoutMs: number,
) => number;
const eventfdCall = libc.func("int eventfd(unsigned int value, int flags)") as (value: number, flags: number) => number;
const syscall = libc.func("long syscall(long number, int a, unsigned int b)") as (
  number: number,
  a: number,
  b: number,
) => number;

const pollCall = libc.func("int poll(void *fds, unsigned long count, int timeout)") as (
  fds: Buffer,
  count: number,
  timeoutMs: number,
) => number;

const closeOnExec = 0o2000000;
const nonBlocking = 0o4000;
// struct epoll_event is packed on x86-64 only.
const eventBytes = process.arch === "x64" ? 12 : 16;
const dataOffset = process.arch === "x64" ? 4 : 8;
const readable = 1;

/** A set of descriptors to wait for (epoll(7)). Any thread may add to it, one waits. Undone by `closeSync(fd)`. */
export function createEpoll(): number {
  return check(epollCreate(closeOnExec), "epoll_create1");
}

/** Adds a descriptor to wait for until it is readable. It leaves the set when it is closed. */
export function addReadable(epoll: number, fd: number, options: { once?: boolean } = {}): void {
  const oneShot = 2 ** 30;
  const event = Buffer.alloc(eventBytes);
  event.writeUInt32LE(options.once === true ? oneShot + readable : readable, 0);
  event.writeInt32LE(fd, dataOffset);
  const add = 1;
  check(epollCtl(epoll, add, fd, event), "epoll_ctl");
}

/** Blocks the calling thread until descriptors are readable, and gives them back. */
export function waitReadable(epoll: number): number[] {
  const most = 64;
  const events = Buffer.alloc(eventBytes * most);
  const count = epollWait(epoll, events, most, -1);
  return Array.from({ length: Math.max(count, 0) }, (_, index) => events.readInt32LE(index * eventBytes + dataOffset));
}

/** Whether a descriptor is readable now (poll(2)); that of a pidfd is once its process has ended. */
export function isReadable(fd: number): boolean {
  const entry = Buffer.alloc(8);
  entry.writeInt32LE(fd, 0);
  entry.writeInt16LE(readable, 4);
  return check(pollCall(entry, 1, 0), "poll") > 0;
}

/** A counter that wakes whoever waits for it (eventfd(2)). Undone by `closeSync(fd)`. */
export function createEventfd(): number {
  return check(eventfdCall(0, closeOnExec | nonBlocking), "eventfd");
}

/**
 * A descriptor that becomes readable when the process ends (pidfd_open(2)); undefined when there is no such process.
 * Undone by `closeSync(fd)`.
 * @throws SystemError for anything else, want of descriptors or memory for example: the process may live
 */
export function openPidfd(pid: number): number | undefined {
  const pidfdOpen = 434;
  const fd = syscall(pidfdOpen, pid, 0);
  if (fd !== -1) return fd;
  const error = new SystemError("pidfd_open", koffi.errno(), `of ${pid}`);
  if (hasErrno(error, ...noSuchProcess)) return undefined;
  throw error;
}

// The last two, by the version of the kernel, where the number is that of a thread now, or is kept by a session or group of processes
// whose first one has ended.
const noSuchProcess = ["ESRCH", "EINVAL", "ENOENT"];
