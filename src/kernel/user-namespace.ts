import { closeSync, writeFileSync } from "node:fs";
import net from "node:net";
import { defaultSearchPath, findProgram } from "#kernel/program-path.ts";
import { pipe } from "#kernel/pipe.ts";
import { type ChildProcess, spawn } from "#kernel/spawn.ts";

/** Part of a user namespace's map (user_namespaces(7)). */
export interface IdMapRange {
  containerId: number;
  hostId: number;
  length: number;
}

/** A process that holds new namespaces until they are pinned; it ends when this is disposed. */
export interface NamespaceHolder extends AsyncDisposable {
  readonly pid: number;
}

/**
 * Starts a process in a new user namespace with these maps, and in namespaces of the other kinds that belong to it. It takes a process:
 * the kernel makes no user namespace for one thread of many. unshare(1) is part of every Debian and Fedora.
 * @throws Error when unshare is missing or fails, SystemError when the kernel refuses the maps
 */
export async function holdUserNamespace(
  kinds: readonly ("net" | "ipc" | "uts" | "user")[],
  maps: { uids: readonly IdMapRange[]; gids: readonly IdMapRange[] },
): Promise<NamespaceHolder> {
  const unshare = findProgram("unshare");
  if (unshare === undefined) throw new Error("unshare(1) of util-linux is not installed");
  const flags = kinds.map((kind) => `--${kind}`);
  const { holder, input, output } = await startHolder([unshare, ...flags]);
  const release = async (): Promise<void> => {
    closeSync(input);
    await holder.exited;
  };
  try {
    if (!(await saidSomething(output)))
      throw new Error(`unshare ${flags.join(" ")} failed: user namespaces may be forbidden on this node`);
    writeFileSync(`/proc/${holder.pid}/uid_map`, mapText(maps.uids));
    writeFileSync(`/proc/${holder.pid}/gid_map`, mapText(maps.gids));
  } catch (error) {
    await release();
    throw error;
  }
  return { pid: holder.pid, [Symbol.asyncDispose]: release };
}

/** It says a word once it is in the namespaces, and ends when its input does: also when this process dies. Whoever gets the descriptors closes them. */
async function startHolder(
  unshare: readonly string[],
): Promise<{ holder: ChildProcess; input: number; output: number }> {
  using theirs = new DisposableStack();
  using failed = new DisposableStack();
  const stdin = pipe();
  theirs.defer(() => closeSync(stdin.readFd));
  failed.defer(() => closeSync(stdin.writeFd));
  const stdout = pipe();
  theirs.defer(() => closeSync(stdout.writeFd));
  failed.defer(() => closeSync(stdout.readFd));
  const holder = await spawn([...unshare, "/bin/sh", "-c", "echo; read -r _"], {
    env: { PATH: defaultSearchPath },
    fds: { 0: stdin.readFd, 1: stdout.writeFd },
  });
  failed.move();
  return { holder, input: stdin.writeFd, output: stdout.readFd };
}

function mapText(ranges: readonly IdMapRange[]): string {
  return ranges.map(({ containerId, hostId, length }) => `${containerId} ${hostId} ${length}\n`).join("");
}

/** True when data arrives before the end of the pipe. Closes it. */
async function saidSomething(fd: number): Promise<boolean> {
  const socket = new net.Socket({ fd, readable: true, writable: false });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once("data", () => resolve(true));
  socket.once("end", () => resolve(false));
  socket.once("error", () => resolve(false));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
