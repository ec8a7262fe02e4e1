import net from "node:net";
import { DomainError } from "#errors/domain-error.ts";

/** conmon's answer: the container's pid, or a number below 1 with the reason. */
export interface SyncAnswer {
  pid: number;
  message: string;
}

const mostQuotedChars = 1000;

/**
 * Reads the one JSON line that conmon writes once `runtime create` has ended, and closes the descriptor. conmon's key is
 * `data` or, in its older protocol, `pid`.
 * @throws DomainError deadline-exceeded when it takes too long
 */
export async function readSyncPipe(fd: number, timeoutMs: number): Promise<SyncAnswer> {
  const socket = new net.Socket({ fd, readable: true, writable: false });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  // Whoever started the read may fail before it awaits the answer.
  promise.catch(() => {});
  const timer = setTimeout(
    () => reject(new DomainError("deadline-exceeded", `the monitor did not answer within ${timeoutMs / 1000} s`)),
    timeoutMs,
  );
  let text = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    text += chunk;
    if (text.includes("\n")) resolve(text);
  });
  socket.on("end", () => resolve(text));
  socket.on("error", reject);
  try {
    return parseAnswer(await promise);
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

function parseAnswer(text: string): SyncAnswer {
  const [line = ""] = text.split("\n");
  if (line.trim() === "") return { pid: -1, message: "" };
  try {
    const { data, pid, message } = JSON.parse(line) as { data?: number; pid?: number; message?: string };
    return { pid: data ?? pid ?? -1, message: message ?? "" };
  } catch {
    // Killed while it wrote.
    return { pid: -1, message: `the monitor broke off its answer: ${line.slice(0, mostQuotedChars)}` };
  }
}
