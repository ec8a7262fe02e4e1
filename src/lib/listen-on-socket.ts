import { chmod, lstat, mkdir, unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";

/** Root and the socket's group may connect; whoever may connect is root on the node. */
const socketMode = 0o660;

/**
 * Listens on a unix socket of mode 0660. Its folder is made; a socket that nobody listens on, left by a daemon that was
 * killed, is replaced.
 * @throws DomainError already-exists when somebody listens there, failed-precondition when the path cannot be used
 */
export async function listenOnSocket(server: Server, socketPath: string): Promise<void> {
  try {
    await mkdir(path.dirname(socketPath), { recursive: true });
    await removeStaleSocket(socketPath);
    await listen(server, socketPath);
    // An ACL of the folder can add to what the umask leaves.
    await chmod(socketPath, socketMode);
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw new DomainError("failed-precondition", `cannot listen on ${socketPath}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function removeStaleSocket(socketPath: string): Promise<void> {
  const found = await lstat(socketPath).catch((error: unknown) => {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new DomainError(
      "failed-precondition",
      `cannot listen on ${socketPath}: something that is no socket is there`,
    );
  }
  if (await isAnswering(socketPath)) {
    throw new DomainError("already-exists", `another daemon listens on ${socketPath}`);
  }
  await unlink(socketPath);
}

/** Whether somebody listens on a unix socket: the kernel refuses connections to one whose listener is gone. */
export function isAnswering(socketPath: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => {
      if (hasErrno(error, "ECONNREFUSED", "ENOENT")) resolve(false);
      // EAGAIN: its queue of connections is full, so it lives.
      else if (hasErrno(error, "EAGAIN")) resolve(true);
      else reject(error);
    });
  });
}

/** The kernel gives the socket the mode that the umask leaves, and Node binds before `listen` returns. */
function listen(server: Server, socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // Later ones are of connections that cannot be accepted, which must not end the process.
    server.on("error", reject);
    server.once("listening", resolve);
    const umask = process.umask(0o777 & ~socketMode);
    try {
      server.listen(socketPath);
    } finally {
      process.umask(umask);
    }
  });
}
