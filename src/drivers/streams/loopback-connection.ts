import { Socket } from "node:net";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import { connectError, connectToLoopback } from "#kernel/tcp-socket.ts";
import type { IpFamily } from "./index.ts";
import { OwnedDescriptor } from "./owned-descriptor.ts";

/** Connects a socket that was made in a network namespace, where `net.connect` would make one of its own. */
export async function connectSocket(fd: number, family: IpFamily, port: number, signal: AbortSignal): Promise<Socket> {
  using descriptor = new OwnedDescriptor(fd);
  try {
    signal.throwIfAborted();
    if (!connectToLoopback(fd, family, port)) await decided(descriptor, signal);
    const error = connectError(fd, family, port);
    if (error !== undefined) throw error;
  } catch (error) {
    throw new DomainError("unavailable", messageOf(error), { cause: error });
  }
  const socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
  descriptor.handOver();
  socket.setNoDelay();
  return socket;
}

/** Resolves once the socket is writable, which it becomes when connecting has succeeded or failed. */
async function decided(descriptor: OwnedDescriptor, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const poll = descriptor.poll(resolve);
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
