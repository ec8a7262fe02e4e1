import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { DomainError, kindOf, messageOf, type ErrorKind } from "#errors/domain-error.ts";
import { createServer } from "#lib/node-http.ts";
import type { Logger } from "#observability/logger.ts";
import type { Endpoint, HttpAnswer, HttpApiSources } from "./endpoint.ts";
import { endpoints } from "./endpoints.ts";

/** HTTP/1 on connections that somebody else has accepted. */
export interface HttpApi {
  accept(socket: Socket): void;
  /** Ends connections without a request under way, and every other one after its answer. */
  close(): void;
}

/** How long a client may take to send a request, and to send the next one on the same connection. */
const readTimeoutMs = 5000;

/** Statuses other than 500 that failures are answered with. */
const statuses: Partial<Readonly<Record<ErrorKind, number>>> = {
  "not-found": 404,
  "invalid-argument": 400,
  "failed-precondition": 409,
};

/** Answers the questions of `endpoints`, with CRI-O's paths, keys and statuses. */
export function createHttpApi(sources: HttpApiSources, logger: Logger): HttpApi {
  const open = new Set<Socket>();
  const idle = new Set<Socket>();
  let closing = false;
  const server = createServer({ keepAliveTimeout: readTimeoutMs }, (request, response) => {
    const { socket } = request;
    idle.delete(socket);
    // The time is for reading the request; an answer may take longer.
    socket.setTimeout(0);
    if (closing) response.setHeader("connection", "close");
    response.once("close", () => {
      if (!open.has(socket)) return;
      idle.add(socket);
      if (closing) socket.end();
    });
    void serve(sources, logger, request, response);
  });
  server.timeout = readTimeoutMs;
  return {
    accept(socket) {
      open.add(socket);
      idle.add(socket);
      socket.once("close", () => {
        open.delete(socket);
        idle.delete(socket);
      });
      server.emit("connection", socket);
    },
    close() {
      closing = true;
      for (const socket of idle) socket.destroy();
    },
  };
}

async function serve(
  sources: HttpApiSources,
  logger: Logger,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = "", url = "" } = request;
  try {
    const { contentType, body } = await answer(sources, method, url);
    response.writeHead(200, { "content-type": contentType }).end(body);
  } catch (error) {
    const status = error instanceof MethodNotAllowed ? 405 : (statuses[kindOf(error)] ?? 500);
    if (status === 500) logger.error("an HTTP request on the CRI socket failed", { method, url, error });
    response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${messageOf(error)}\n`);
  }
}

class MethodNotAllowed extends Error {}

async function answer(sources: HttpApiSources, method: string, url: string): Promise<HttpAnswer> {
  const { pathname } = new URL(url, "http://crio");
  for (const endpoint of endpoints) {
    const id = matchPath(endpoint, pathname);
    if (id === undefined) continue;
    if (method !== "GET") throw new MethodNotAllowed(`${endpoint.path} is asked with GET, not ${method}`);
    return await endpoint.answer(sources, id);
  }
  throw new DomainError("not-found", `there is nothing at ${pathname}`);
}

/** What stands at `{id}`, empty for a path without it; undefined when the path is another one. */
function matchPath({ path }: Endpoint, pathname: string): string | undefined {
  const [before = ""] = path.split("{id}");
  if (before === path) return pathname === path ? "" : undefined;
  const id = pathname.startsWith(before) ? pathname.slice(before.length) : "";
  return /^[0-9a-zA-Z]+$/.test(id) ? id : undefined;
}
