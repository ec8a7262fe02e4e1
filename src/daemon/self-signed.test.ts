import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { createSecureContext } from "node:tls";
import { findProgram } from "#kernel/program-path.ts";
import { silentLogger } from "#observability/logger.ts";
import { makeSelfSigned } from "./self-signed.ts";

const folder = mkdtempSync(path.join(tmpdir(), "berth-self-signed-"));
after(() => rmSync(folder, { recursive: true }));
const filesIn = (name: string) => ({
  certPath: path.join(folder, name, "cert.pem"),
  keyPath: path.join(folder, name, "key.pem"),
  minVersion: "TLSv1.2" as const,
});

describe(
  "a self-signed certificate",
  { skip: findProgram("openssl") === undefined ? "openssl is missing" : false },
  () => {
    it("is made for the machine's name, with a key that only root reads", async () => {
      const files = filesIn("none");
      await makeSelfSigned(files, silentLogger);
      const cert = readFileSync(files.certPath);
      createSecureContext({ cert, key: readFileSync(files.keyPath) });
      assert.equal(new X509Certificate(cert).subject, `CN=${hostname()}`);
      assert.equal(statSync(files.keyPath).mode & 0o077, 0);
      assert.deepEqual(readdirSync(path.dirname(files.certPath)).toSorted(), ["cert.pem", "key.pem"]);
    });

    it("is not made when one of the files is there", async () => {
      const files = filesIn("some");
      await makeSelfSigned(files, silentLogger);
      writeFileSync(files.certPath, "mine");
      rmSync(files.keyPath);
      await makeSelfSigned(files, silentLogger);
      assert.equal(readFileSync(files.certPath, "utf8"), "mine");
    });
  },
);
