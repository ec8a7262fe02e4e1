import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { afterEach, describe, it } from "node:test";
import { WebSocketServer, type RawData, type WebSocket as ServerSocket } from "ws";
import { execStream, type Terminal } from "./exec-stream.ts";

describe("a command that is connected to", () => {
  let server: WebSocketServer | undefined;
  afterEach(() => {
    for (const client of server?.clients ?? []) client.terminate();
    server?.close();
  });

  /** A server that handles each message, and its URL. */
  async function serve(onConnection: (socket: ServerSocket) => void): Promise<string> {
    server = new WebSocketServer({
      port: 0,
      host: "127.0.0.1",
      handleProtocols: (offered) => [...offered][0] ?? false,
    });
    server.on("connection", onConnection);
    await once(server, "listening");
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    return `http://127.0.0.1:${address.port}/exec/token`;
  }

  function terminal(): Terminal & { stdin: PassThrough; shown: { stdout: string; stderr: string } } {
    const shown = { stdout: "", stderr: "" };
    const screen = (name: "stdout" | "stderr") => ({
      write: (text: string | Uint8Array) => {
        shown[name] += Buffer.from(text).toString("utf8");
      },
    });
    return { stdin: new PassThrough(), stdout: screen("stdout"), stderr: screen("stderr"), shown };
  }

  const status = (value: object): Buffer => Buffer.concat([Buffer.from([3]), Buffer.from(JSON.stringify(value))]);
  const bytesOf = (data: RawData): Buffer =>
    Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as ArrayBuffer);

  it("gets what is typed, shows what it writes, and gives its exit code", async () => {
    const url = await serve((socket) => {
      socket.on("message", (data) => {
        const [channel, ...rest] = bytesOf(data);
        if (channel === 0) socket.send(Buffer.from([1, ...rest]));
        if (channel !== 255) return;
        socket.send(Buffer.from([2, ...Buffer.from("bye")]));
        const causes = [{ reason: "ExitCode", message: "7" }];
        socket.send(status({ status: "Failure", reason: "NonZeroExitCode", details: { causes } }));
      });
    });
    const own = terminal();
    own.stdin.end("typed");
    assert.equal(await execStream(url, own, true), 7);
    assert.deepEqual(own.shown, { stdout: "typed", stderr: "bye" });
  });

  it("is told the size of the terminal, at first and when it changes", async () => {
    const sizes: string[] = [];
    const url = await serve((socket) => {
      socket.on("message", (data) => {
        sizes.push(bytesOf(data).toString("utf8"));
        if (sizes.length === 2) socket.send(status({ status: "Success" }));
      });
    });
    const own = terminal();
    own.size = {
      now: () => ({ columns: 80, rows: 25 }),
      onChange: (listener) => {
        setImmediate(listener);
        return { [Symbol.dispose]: () => {} };
      },
    };
    assert.equal(await execStream(url, own, false), 0);
    assert.deepEqual(
      sizes,
      Array.from({ length: 2 }, () => '\u0004{"Width":80,"Height":25}'),
    );
  });

  it("fails with the server's words when it cannot be run", async () => {
    const url = await serve((socket) => socket.send(status({ status: "Failure", message: "no such file" })));
    await assert.rejects(execStream(url, terminal(), false), { name: "CtlError", message: "no such file" });
  });

  it("fails when the connection ends before the command", async () => {
    const url = await serve((socket) => socket.close());
    await assert.rejects(execStream(url, terminal(), false), { message: "the connection has ended early" });
  });

  it("fails when nobody listens", async () => {
    await assert.rejects(execStream("http://127.0.0.1:1/exec/x", terminal(), false), { name: "CtlError" });
  });
});
