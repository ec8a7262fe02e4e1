import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { request as plainRequest, type IncomingMessage } from "node:http";
import { request as tlsRequest } from "node:https";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { after, describe, it } from "node:test";
import type { TLSSocket } from "node:tls";
import { type Logger, silentLogger } from "#observability/logger.ts";
import { type MetricsServerOptions, serveMetrics } from "./metrics-server.ts";

const folder = mkdtempSync(path.join(tmpdir(), "berth-metrics-"));
after(() => rmSync(folder, { recursive: true }));

const options: MetricsServerOptions = {
  host: "127.0.0.1",
  port: 0,
  socketPath: undefined,
  tls: undefined,
  render: () => Promise.resolve("up 1\n"),
  logger: silentLogger,
};

async function scrape(where: { port: number } | { socketPath: string }, url = "/metrics") {
  const sent = plainRequest({ ...where, host: "127.0.0.1", path: url, agent: false }).end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  return { status: response.statusCode, type: response.headers["content-type"], body: await text(response) };
}

/** The name in the certificate that the server shows. */
async function certificateName(port: number): Promise<string> {
  const sent = tlsRequest({ host: "127.0.0.1", port, path: "/metrics", rejectUnauthorized: false, agent: false }).end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const { CN } = (response.socket as TLSSocket).getPeerCertificate().subject;
  assert.equal(await text(response), "up 1\n");
  return String(CN);
}

function makeCertificate(name: string): { certPath: string; keyPath: string } {
  const files = { certPath: path.join(folder, "cert.pem"), keyPath: path.join(folder, "key.pem") };
  const argv = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj"];
  execFileSync("openssl", [...argv, `/CN=${name}`, "-keyout", files.keyPath, "-out", files.certPath], {
    stdio: "ignore",
  });
  return files;
}

describe("the metrics endpoint", () => {
  it(
    "closes although a client stops in the middle of a request, or of a TLS handshake",
    { timeout: 10_000 },
    async () => {
      const encrypted = { ...makeCertificate("closing"), minVersion: "TLSv1.2" as const };
      for (const [tls, begin] of [
        [undefined, "GET /met"],
        [encrypted, "\x16"],
      ] as const) {
        const server = await serveMetrics({ ...options, tls, closeGraceMs: 50 });
        const client = connect(server.port, "127.0.0.1").on("error", () => {});
        client.write(begin);
        // The next client is served, so the first has been accepted.
        if (tls === undefined) await scrape({ port: server.port });
        else await certificateName(server.port);
        await server.close();
        client.destroy();
      }
    },
  );

  it("answers /metrics with the text of a scrape and nothing else, by TCP and on the socket", async () => {
    const socketPath = path.join(folder, "metrics.sock");
    const server = await serveMetrics({ ...options, socketPath });
    for (const where of [{ port: server.port }, { socketPath }]) {
      const { status, type, body } = await scrape(where);
      assert.deepEqual([status, type, body], [200, "text/plain; version=0.0.4; charset=utf-8", "up 1\n"]);
      assert.equal((await scrape(where, "/")).status, 404);
    }
    await server.close();
    await assert.rejects(scrape({ port: server.port }));
  });

  it("answers 500 when a scrape fails", async () => {
    const server = await serveMetrics({ ...options, render: () => Promise.reject(new Error("no")) });
    assert.equal((await scrape({ port: server.port })).status, 500);
    await server.close();
  });

  it("takes over a certificate that is replaced", async () => {
    const reloaded = Promise.withResolvers<void>();
    const logger: Logger = {
      ...silentLogger,
      info: (message) => void (message.includes("reloaded") && reloaded.resolve()),
    };
    const tls = { ...makeCertificate("first"), minVersion: "TLSv1.2" as const };
    const server = await serveMetrics({ ...options, tls, tlsCheckIntervalMs: 10, logger });
    assert.equal(await certificateName(server.port), "first");
    makeCertificate("second");
    await reloaded.promise;
    assert.equal(await certificateName(server.port), "second");
    await server.close();
  });

  it("says which file or address it cannot use", async () => {
    const tls = { certPath: "/nowhere/cert.pem", keyPath: "/nowhere/key.pem", minVersion: "TLSv1.2" as const };
    await assert.rejects(serveMetrics({ ...options, tls }), {
      kind: "invalid-argument",
      message: /\/nowhere\/(cert|key)\.pem/,
    });
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as { port: number };
    await assert.rejects(serveMetrics({ ...options, port }), {
      kind: "failed-precondition",
      message: /cannot serve metrics on 127\.0\.0\.1:\d+: .*EADDRINUSE/,
    });
    taken.close();
  });
});
