import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import path from "node:path";
import { pipeline } from "node:stream";
import { fileURLToPath } from "node:url";
import type { TestDaemon } from "./daemon.ts";

// TCP servers inside a pod's network, one behaviour a port. This file is also the program that runs there.

export const ports = {
  /** Sends back what it gets, and its end. IPv4 only. */
  echo: 7001,
  /** The same on IPv6 only. */
  echo6: 7002,
  /** Answers with the SHA-256 of what it got, once that has ended. */
  hash: 7003,
  /** Takes some bytes and breaks the connection. */
  breaking: 7004,
  /** Says what it is told, and how the connection ended before: "ended" or "reset". */
  lastEnd: 7005,
  /** Notes how its connections end. */
  watched: 7006,
  /** Reads nothing. */
  deaf: 7007,
} as const;

/** Starts the servers in the network namespace of a pod, or the host's without one; stops them when disposed. */
export async function podServers(daemon: TestDaemon, podId: string | undefined): Promise<AsyncDisposable> {
  const namespace = path.join(daemon.places.runroot, "namespaces", "netns", podId ?? "");
  const argv = [...(podId === undefined ? [] : ["nsenter", `--net=${namespace}`]), process.execPath];
  const [program = "", ...before] = argv;
  const child = spawn(program, [...before, fileURLToPath(import.meta.url)], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return {
    async [Symbol.asyncDispose]() {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

async function serve(): Promise<void> {
  let lastEnd = "none";
  const listen = async (port: number, host: string, serveOne: (socket: Socket) => void): Promise<void> => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => {});
      serveOne(socket);
    });
    await once(server.listen(port, host), "listening");
  };
  const echo = (socket: Socket): void => void pipeline(socket, socket, () => {});
  await listen(ports.echo, "127.0.0.1", echo);
  await listen(ports.echo6, "::1", echo);
  await listen(ports.hash, "127.0.0.1", (socket) => {
    const hash = createHash("sha256");
    socket.on("data", (chunk) => hash.update(chunk));
    socket.on("end", () => socket.end(hash.digest("hex")));
  });
  await listen(ports.breaking, "127.0.0.1", (socket) => socket.once("data", () => socket.resetAndDestroy()));
  await listen(ports.lastEnd, "127.0.0.1", (socket) => socket.end(lastEnd));
  await listen(ports.watched, "127.0.0.1", (socket) => {
    lastEnd = "none";
    socket.on("end", () => {
      lastEnd = "ended";
      socket.end();
    });
    socket.on("error", () => (lastEnd = "reset"));
    socket.write("hello");
    socket.resume();
  });
  await listen(ports.deaf, "127.0.0.1", (socket) => socket.pause());
  process.stdout.write("ready\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await serve();
