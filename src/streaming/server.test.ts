import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempDisposable } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { it } from "node:test";
import { connect as connectTls } from "node:tls";
import { silentLogger } from "#observability/logger.ts";
import type { StreamingBackend } from "./backend.ts";
import { createStreamingServer } from "./server.ts";

const unwanted = (): never => assert.fail("there is no session");
const noBackend: StreamingBackend = { exec: unwanted, attach: unwanted, portForward: unwanted };

it("the server closes although a client does not end its TLS handshake", { timeout: 10_000 }, async () => {
  await using folder = await mkdtempDisposable(path.join(tmpdir(), "berth-streaming-"));
  const tls = {
    certPath: path.join(folder.path, "cert.pem"),
    keyPath: path.join(folder.path, "key.pem"),
    minVersion: "TLSv1.2",
  } as const;
  const argv = [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-subj",
    "/CN=a",
  ];
  execFileSync("openssl", [...argv, "-keyout", tls.keyPath, "-out", tls.certPath], { stdio: "ignore" });
  const server = createStreamingServer({ tls }, noBackend, silentLogger);
  const { port } = await server.listen();
  const silent = connect(port, "127.0.0.1").on("error", () => {});
  await once(silent, "connect");
  const other = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false }).on("error", () => {});
  // It came later, so the silent one has been accepted.
  await once(other, "secureConnect");
  await server.close();
  silent.destroy();
  other.destroy();
});
