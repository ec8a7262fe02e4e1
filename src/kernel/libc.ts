import os from "node:os";
import koffi from "koffi";
import { Semaphore } from "#lib/semaphore.ts";

// Memory for the calls that run on other threads: for more at a time than these it is mapped and unmapped around each call.
koffi.config({ ...koffi.config(), resident_async_pools: 32 });

/** The C library, loaded once a thread. Only files in this folder declare functions of it. */
export const libc = koffi.load("libc.so.6");

/** A failed system call: `code` is the errno name as in Node's own errors, `syscall` the call, `path` what it was about. */
export class SystemError extends Error {
  override readonly name = "SystemError";
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  readonly path: string | undefined;

  constructor(syscall: string, errno: number, path?: string) {
    const code = errnoName(errno);
    const about = path === undefined ? "" : ` ${path}`;
    super(`${code}: ${errnoText(errno)}, ${syscall}${about}`);
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
    this.path = path;
  }
}

const strerror = libc.func("const char *strerror(int errnum)") as (errnum: number) => string;

// Backwards, since of two names for one number (EAGAIN and EWOULDBLOCK) Node's own errors have the first.
const namesByErrno = new Map(
  Object.entries(os.constants.errno)
    .reverse()
    .map(([name, value]) => [value, name]),
);

export function errnoName(errno: number): string {
  return namesByErrno.get(errno) ?? `errno ${errno}`;
}

function errnoText(errno: number): string {
  return strerror(errno).toLowerCase();
}

/** Turns the -1 of a system call into a `SystemError`; gives back any other result. Call at once: it reads errno. */
export function check(result: number, syscall: string, path?: string): number {
  if (result === -1) throw new SystemError(syscall, koffi.errno(), path);
  return result;
}

/** How koffi reports the end of a call that it ran on a thread of its own. */
export type CallDone = (error: Error | null, result: number) => void;

// koffi refuses a call when 256 of a thread run or wait, and the end of a pod of many containers asks for more. Few run at the same
// time, as koffi has few threads: nobody waits longer for this.
const offThreadCalls = new Semaphore(128);

/**
 * Calls a C function off the calling thread: `start` hands what it is given to the `async` form of a koffi function. `finish` gets the
 * function's result, in the moment in which errno is that of the call.
 */
export function offThread<T>(start: (done: CallDone) => void, finish: (result: number) => T): Promise<T> {
  return offThreadCalls.run(
    () =>
      new Promise((resolve, reject) => {
        start((error, result) => {
          try {
            if (error !== null) throw error;
            resolve(finish(result));
          } catch (failure) {
            reject(failure);
          }
        });
      }),
  );
}

/**
 * `check` of a system call that can take milliseconds, off the calling thread.
 * @throws SystemError
 */
export function checkOffThread(start: (done: CallDone) => void, syscall: string, path?: string): Promise<number> {
  return offThread(start, (result) => check(result, syscall, path));
}
