import os from "node:os";
import koffi from "koffi";

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

/**
 * Runs a system call off the calling thread: `start` hands the function it is given to the `async` form of a koffi function. For
 * calls that can take milliseconds.
 * @throws SystemError
 */
export function checkOffThread(start: (done: CallDone) => void, syscall: string, path?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    start((error, result) => {
      try {
        if (error !== null) throw error;
        // koffi hands the errno of its thread over for the time of this callback.
        resolve(check(result, syscall, path));
      } catch (failure) {
        reject(failure);
      }
    });
  });
}
