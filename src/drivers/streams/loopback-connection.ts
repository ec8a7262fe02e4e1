import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import { DescriptorPoll } from "#kernel/descriptor-poll.ts";
import { connectError, connectToLoopback } from "#kernel/tcp-socket.ts";
import type { IpFamily } from "./index.ts";

/** Connects a socket that was made in a network namespace, where `net.connect` would make one of its own. */
export async function connectSocket(fd: number, family: IpFamily, port: number, signal: AbortSignal): Promise<Socket> {
  using undo = new DisposableStack();
  undo.defer(() => closeSync(fd));
  try {
    signal.throwIfAborted();
    if (!connectToLoopback(fd, family, port)) await decided(fd, signal);
    const error = connectError(fd, family, port);
    if (error !== undefined) throw error;
  } catch (error) {
    throw new DomainError("unavailable", messageOf(error), { cause: error });
  }
  undo.move();
  const socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
  socket.setNoDelay();
  return socket;
}

/** Resolves once the socket is writable, which it becomes when connecting has succeeded or failed. */
async function decided(fd: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const poll = new DescriptorPoll(fd, resolve);
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener("abort", onAbort);
  try {
    poll.want({ readable: false, writable: true });
    await promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
    poll.close();
  }
}
