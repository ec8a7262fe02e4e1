import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import type { RequestOptions } from "node:https";
import os from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { WebSocket } from "ws";
import { silentLogger } from "#observability/logger.ts";
import type { TlsFiles } from "#lib/tls-files.ts";
import { startStreamingWorker } from "#streaming/worker.ts";
import { eventually } from "../support/eventually.ts";
import { findProgram } from "../support/requirements.ts";
import { pattern } from "../support/streaming-backend.ts";
import {
  execOverSpdy,
  execRequest,
  mebibyte,
  sha256,
  sha256OfPattern,
  StreamingFixture,
  v4,
} from "../support/streaming-fixture.ts";

const streaming = new StreamingFixture();
beforeEach(() => streaming.start());
afterEach(() => streaming.server.close());

describe("a client that is slow or gone", () => {
  test("holds back the program when the client does not read", async () => {
    const { client, stream } = await streaming.exec("pour 60");
    client.transport.pause();
    await delay(200);
    const before = process.memoryUsage().arrayBuffers;
    await delay(300);
    const grown = process.memoryUsage().arrayBuffers - before;
    assert.ok(grown < 8 * mebibyte, `grew by ${grown} bytes`);
    assert.equal(streaming.backend.running, 1);
    client.transport.resume();
    assert.equal(await sha256(stream("stdout")), sha256OfPattern(60));
    client.transport.destroy();
  });

  test("holds back the client when the program does not read", async () => {
    const { client, stream } = await streaming.exec("hang", { stdin: true });
    const stdin = stream("stdin");
    let taken = 0;
    const counted = function* () {
      for (const block of pattern(64)) {
        yield block;
        taken += block.length;
      }
    };
    const sending = pipeline(Readable.from(counted()), stdin).catch(() => {});
    await delay(500);
    // What fits into the buffers of two sockets and one stream.
    assert.ok(taken < 32 * mebibyte, `took ${taken} bytes`);
    client.transport.destroy();
    await sending;
    await streaming.idle();
  });

  test("a broken connection aborts the backend and leaves nothing", async () => {
    const { client, stream } = await streaming.exec("pour 500");
    await once(stream("stdout"), "data");
    client.transport.destroy();
    await streaming.idle();
    assert.equal(streaming.backend.abortReasons.length, 1);
    assert.match(streaming.backend.abortReasons[0] ?? "", /client closed the connection/);
  });

  test("a backend that is done hears nothing of the end of the connection", async () => {
    const { client, stream } = await streaming.exec("exit 0");
    assert.equal(await text(stream("stdout")), "to stdout");
    client.transport.destroy();
    await streaming.idle();
    assert.deepEqual(streaming.backend.abortReasons, []);
  });

  test("an idle session is ended", async () => {
    await streaming.start({ idleTimeoutMs: 100 });
    const { client } = await streaming.exec("hang");
    await client.closed;
    await streaming.idle();
    assert.match(streaming.backend.abortReasons[0] ?? "", /no traffic for 100 ms/);
  });

  test("a hundred sessions that are dropped leak nothing", async () => {
    const before = process.getActiveResourcesInfo().length;
    const dropOne = async (index: number): Promise<void> => {
      if (index % 2 === 0) {
        const { client } = await streaming.exec("hang", { stdin: true });
        client.transport.destroy();
        await client.closed;
      } else {
        const url = await streaming.server.execUrl(execRequest("hang", { stdin: true }));
        const socket = new WebSocket(url.replace("http", "ws"), "v5.channel.k8s.io");
        await once(socket, "open");
        socket.terminate();
        await once(socket, "close");
      }
    };
    for (let round = 0; round < 10; round += 1)
      await Promise.all(Array.from({ length: 10 }, (_, index) => dropOne(index)));
    await streaming.idle();
    assert.equal((await streaming.server.stats()).pending, 0);
    await eventually("no timers or sockets are left", () =>
      process.getActiveResourcesInfo().length <= before ? true : undefined,
    );
  });

  test("closing the server aborts what runs and closes the backend", async () => {
    const { client } = await streaming.exec("hang");
    await streaming.server.close();
    await client.closed;
    assert.equal(streaming.backend.running, 0);
    assert.match(streaming.backend.abortReasons[0] ?? "", /shutting down/);
    assert.ok(streaming.backend.closed);
  });
});

describe("TLS", { skip: findProgram("openssl") === undefined && "needs openssl" }, () => {
  const openssl = promisify(execFile);

  /** A self-signed certificate for 127.0.0.1, written over the one before. */
  async function certify(directory: string, name: string): Promise<TlsFiles> {
    const [certPath, keyPath] = [path.join(directory, "cert.pem"), path.join(directory, "key.pem")];
    const subject = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"];
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", keyPath];
    await openssl("openssl", ["req", "-x509", ...key, ...subject, "-out", certPath]);
    return { certPath, keyPath, minVersion: "TLSv1.2" };
  }

  async function outputOf(options: RequestOptions): Promise<{ output: string; peer: string }> {
    const request = execRequest("exit 0");
    const url = await streaming.server.execUrl(request);
    assert.match(url, /^https:/);
    const { client, stream } = await execOverSpdy(url, request, v4, { ...options, agent: false });
    const socket = client.transport;
    // A resumed session would not show the certificate again, hence no agent that remembers sessions.
    assert.ok(socket instanceof TLSSocket);
    const peer = String(socket.getPeerCertificate().subject.CN);
    const output = await text(stream("stdout"));
    socket.destroy();
    return { output, peer };
  }

  test("serves with the newest certificate and asks clients for theirs when told to", async () => {
    await using directory = await mkdtempDisposable(path.join(os.tmpdir(), "streaming-tls-"));
    const files = await certify(directory.path, "first");
    await streaming.start({ tls: files });
    assert.deepEqual(await outputOf({ rejectUnauthorized: false }), { output: "to stdout", peer: "first" });
    await certify(directory.path, "second");
    await streaming.server.reloadTls();
    assert.deepEqual(await outputOf({ rejectUnauthorized: false }), { output: "to stdout", peer: "second" });
    await writeFile(files.keyPath, "nonsense");
    await assert.rejects(streaming.server.reloadTls(), { kind: "invalid-argument", message: /not usable/ });
    assert.equal((await outputOf({ rejectUnauthorized: false })).peer, "second");
    const own = await certify(directory.path, "authority");
    await streaming.start({ tls: { ...own, caPath: own.certPath } });
    await assert.rejects(outputOf({ rejectUnauthorized: false }));
    const [cert, key] = [await readFile(own.certPath), await readFile(own.keyPath)];
    assert.equal((await outputOf({ ca: cert, cert, key })).output, "to stdout");
  });

  test("says which file is missing", async () => {
    const tls: TlsFiles = { certPath: "/nowhere/cert.pem", keyPath: "/nowhere/key.pem", minVersion: "TLSv1.3" };
    await assert.rejects(streaming.start({ tls }), { kind: "invalid-argument", message: /\/nowhere\/(cert|key)\.pem/ });
  });
});

describe("in a worker thread", () => {
  const module = { url: import.meta.resolve("../support/streaming-backend.ts"), config: "configured" };

  test("serves sessions there, with a backend that asks this thread", async () => {
    const worker = startStreamingWorker(
      {},
      module,
      async (method, payload) => `${method} ${String(payload)}`,
      silentLogger,
    );
    await worker.listen();
    try {
      const request = execRequest("ask you");
      const { client, stream } = await execOverSpdy(await worker.execUrl(request), request);
      assert.equal(await text(stream("stdout")), "configured: greet you");
      client.transport.destroy();
      await assert.rejects(worker.execUrl(execRequest("x", { containerId: "" })), { kind: "invalid-argument" });
    } finally {
      await worker.close();
    }
  });

  test("a worker that dies is replaced on the same port", async () => {
    const worker = startStreamingWorker({}, module, async () => undefined, silentLogger);
    const { port } = await worker.listen();
    try {
      const request = execRequest("crash");
      const { client } = await execOverSpdy(await worker.execUrl(request), request);
      await client.closed;
      const again = execRequest("exit 0");
      const url = await eventually("there is a new worker", () => worker.execUrl(again).catch(() => undefined));
      assert.equal(new URL(url).port, String(port));
      const { client: other, stream } = await execOverSpdy(url, again);
      assert.equal(await text(stream("stdout")), "to stdout");
      other.transport.destroy();
    } finally {
      await worker.close();
    }
  });

  test("tells why it cannot start", async () => {
    const worker = startStreamingWorker({ address: "192.0.2.1" }, module, async () => undefined, silentLogger);
    await assert.rejects(worker.listen(), { kind: "unavailable", message: /192\.0\.2\.1/ });
    await worker.close();
  });
});
