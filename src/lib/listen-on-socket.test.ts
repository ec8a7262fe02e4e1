import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { listenOnSocket } from "./listen-on-socket.ts";

describe("listening on a unix socket", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "berth-socket-"));
  after(() => rmSync(folder, { recursive: true }));

  it("makes the folder and a socket of mode 0660, whatever the umask", async () => {
    const socketPath = path.join(folder, "run", "deep", "cri.sock");
    const umask = process.umask(0);
    const server = createServer();
    try {
      await listenOnSocket(server, socketPath);
      assert.equal(process.umask(), 0);
    } finally {
      process.umask(umask);
    }
    assert.equal(statSync(socketPath).mode & 0o777, 0o660);
    server.close();
    await once(server, "close");
    assert.equal(statSync(socketPath, { throwIfNoEntry: false }), undefined);
  });

  it("replaces a socket that nobody listens on", async () => {
    const socketPath = path.join(folder, "stale.sock");
    const dead = createServer();
    await listenOnSocket(dead, path.join(folder, "before.sock"));
    // A close unlinks the path that was listened on, so the renamed socket stays, as it does after a kill.
    renameSync(path.join(folder, "before.sock"), socketPath);
    dead.close();
    await once(dead, "close");
    const server = createServer();
    await listenOnSocket(server, socketPath);
    assert.equal(server.listening, true);
    server.close();
  });

  it("goes on after a connection that could not be accepted", async () => {
    const server = createServer();
    await listenOnSocket(server, path.join(folder, "short-of-memory.sock"));
    // As Node tells it; without anybody who listens to it, this throws.
    for (let times = 0; times < 2; times += 1) server.emit("error", new Error("accept ENOMEM"));
    assert.equal(server.listening, true);
    server.close();
  });

  it("leaves a socket alone on which another daemon answers", async () => {
    const socketPath = path.join(folder, "busy.sock");
    const first = createServer();
    await listenOnSocket(first, socketPath);
    await assert.rejects(listenOnSocket(createServer(), socketPath), {
      kind: "already-exists",
      message: `another daemon listens on ${socketPath}`,
    });
    assert.equal(statSync(socketPath).isSocket(), true);
    first.close();
  });

  it("leaves a file alone that is no socket", async () => {
    const socketPath = path.join(folder, "file");
    writeFileSync(socketPath, "precious");
    await assert.rejects(listenOnSocket(createServer(), socketPath), { kind: "failed-precondition" });
    assert.equal(statSync(socketPath).size, 8);
  });

  it("names the path when it cannot be listened on", async () => {
    const socketPath = path.join(folder, "x".repeat(120));
    await assert.rejects(listenOnSocket(createServer(), socketPath), (error: Error) =>
      error.message.startsWith(`cannot listen on ${socketPath}: `),
    );
  });
});
