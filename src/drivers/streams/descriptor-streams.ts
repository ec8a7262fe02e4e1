import { randomBytes } from "node:crypto";
import { closeSync, constants, openSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import type { KernelThread } from "#kernel/kernel-thread.ts";
import { killNoted } from "#kernel/process-note.ts";
import { pipe } from "#kernel/pipe.ts";
import { tcpSocket } from "#kernel/tcp-socket.ts";
import { acceptDescriptor, listenOnUnixSocket } from "#kernel/unix-socket.ts";
import type { ProcessStdio, StdioEnds, Streams, WantedStdio } from "./index.ts";

/** Descriptors made by this process; `directory` holds a directory for each process that runs. */
export function descriptorStreams(directory: string, thread: KernelThread): Streams {
  return {
    async processStdio(wanted) {
      await using undo = new AsyncDisposableStack();
      const own = path.join(directory, randomBytes(8).toString("hex"));
      await mkdir(own, { recursive: true, mode: 0o700 });
      undo.defer(() => rm(own, { recursive: true, force: true }));
      const stdio = wanted.tty ? terminalStdio(own, undo) : pipedStdio(own, wanted, undo);
      const owned = undo.move();
      return { ...stdio, [Symbol.asyncDispose]: () => owned.disposeAsync() };
    },

    discard(ends) {
      for (const fd of [ends.stdin, ends.stdout, ends.stderr, ends.terminal]) if (fd !== undefined) closeSync(fd);
    },

    async tcpSocket(netnsPath, family) {
      try {
        return netnsPath === undefined
          ? tcpSocket(family)
          : await thread.tcpSocketInNetworkNamespace(netnsPath, family);
      } catch (error) {
        const where = netnsPath === undefined ? "" : ` in network namespace ${netnsPath}`;
        throw new DomainError("unavailable", `no IPv${family} socket can be made${where}: ${messageOf(error)}`, {
          cause: error,
        });
      }
    },

    async sweep() {
      // Here and not with each command: it has to be there for the pid files of those that have no streams of ours, too.
      await mkdir(directory, { recursive: true, mode: 0o700 });
      for (const name of await readdir(directory)) {
        const left = path.join(directory, name);
        await killNoted(path.join(left, "process"));
        await rm(left, { recursive: true, force: true });
      }
    },
  };
}

type Stdio = Omit<ProcessStdio, typeof Symbol.asyncDispose>;

/** A terminal is made by the OCI runtime, inside the container, and sent to a socket of ours. */
function terminalStdio(directory: string, undo: AsyncDisposableStack): Stdio {
  const open = new Set<number>();
  const closeAll = (): void => {
    for (const fd of open) closeSync(fd);
    open.clear();
  };
  undo.defer(closeAll);
  const file = path.join(directory, "console");
  open.add(listenOnUnixSocket(file));
  return {
    directory,
    fds: {},
    consoleSocket: reachable(file, open),
    started() {
      const [listening = -1] = open;
      // The runtime has sent it before it let the process run.
      try {
        return { terminal: acceptDescriptor(listening) };
      } catch (error) {
        throw new DomainError("internal", `the OCI runtime has sent no terminal: ${messageOf(error)}`, {
          cause: error,
        });
      } finally {
        closeAll();
      }
    },
  };
}

/** A path to the socket that fits into the 107 bytes of a socket address. */
function reachable(file: string, open: Set<number>): string {
  if (Buffer.byteLength(file) <= 107) return file;
  const directory = openSync(path.dirname(file), constants.O_DIRECTORY);
  open.add(directory);
  return `/proc/${process.pid}/fd/${directory}/${path.basename(file)}`;
}

/** Pipes, not sockets: programs reopen /dev/stdout, which a socket does not allow. */
function pipedStdio(directory: string, wanted: WantedStdio, undo: AsyncDisposableStack): Stdio {
  const ours: { -readonly [K in keyof StdioEnds]: StdioEnds[K] } = {};
  const theirs: Record<number, number> = {};
  const open = new Set<number>();
  undo.defer(() => open.forEach((fd) => closeSync(fd)));
  for (const [number, name] of (["stdin", "stdout", "stderr"] as const).entries()) {
    if (!wanted[name]) continue;
    const { readFd, writeFd } = pipe();
    open.add(readFd).add(writeFd);
    [ours[name], theirs[number]] = name === "stdin" ? [writeFd, readFd] : [readFd, writeFd];
  }
  return {
    directory,
    fds: theirs,
    started() {
      for (const fd of Object.values(theirs)) closeSync(fd);
      open.clear();
      return ours;
    },
  };
}
