import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { FakeRegistryServer } from "#drivers/registry/fake-registry-server.ts";
import { at, forever, testClient } from "#drivers/registry/test-client.ts";
import { findProgram } from "../support/requirements.ts";

// TLS of the registry driver, with authorities and certificates that openssl makes for the occasion.

const skip = findProgram("openssl") === undefined && "openssl is not installed";
let folder: string;
let tls: { cert: string; key: string; ca: string };

const inFolder = (name: string) => path.join(folder, name);

/** Makes a key and a certificate for 127.0.0.1: NAME.key and NAME.crt, signed by the authority `ca` unless it is that. */
function makeCertificate(name: string): void {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", `${name}.key`];
  const common = ["req", "-x509", "-days", "2", "-out", `${name}.crt`, ...key, "-subj", `/CN=${name}`];
  if (name === "ca") openssl(...common);
  else openssl(...common, "-addext", "subjectAltName=IP:127.0.0.1", "-CA", "ca.crt", "-CAkey", "ca.key");
}

before(async () => {
  if (skip !== false) return;
  folder = await mkdtemp(path.join(tmpdir(), "berth-registry-tls-"));
  for (const name of ["ca", "server", "client"]) makeCertificate(name);
  const [cert, key, ca] = await Promise.all(
    ["server.crt", "server.key", "ca.crt"].map((name) => readFile(inFolder(name), "utf8")),
  );
  assert.ok(cert && key && ca);
  tls = { cert, key, ca };
});
after(async () => {
  if (folder) await rm(folder, { recursive: true });
});

/** A certs.d with a folder for the server that holds copies of `files`, named as the keys say. */
async function certsDir(server: FakeRegistryServer, files: Record<string, string>): Promise<string> {
  const parent = await mkdtemp(inFolder("certs.d-"));
  await mkdir(path.join(parent, server.registry));
  for (const [name, source] of Object.entries(files))
    await cp(inFolder(source), path.join(parent, server.registry, name));
  return parent;
}

test("an unknown authority is refused, and named when nothing listens to plain http either", { skip }, async () => {
  await using server = await FakeRegistryServer.start(tls);
  await using client = await testClient();
  await assert.rejects(client.resolve(at(server, "app"), { signal: forever() }), {
    kind: "registry-unavailable",
    message: /^RegistryUnavailable: cannot resolve .*GET https:.*(unable to|self-signed)/,
  });
  assert.equal(server.requests.length, 0);
});

test("an authority in certs.d is trusted for its host, after a reload", { skip }, async () => {
  await using server = await FakeRegistryServer.start(tls);
  server.addImage("app", { tag: "latest" });
  const parent = await certsDir(server, {});
  await using client = await testClient({ certsDirs: [inFolder("missing"), parent] });
  await assert.rejects(client.resolve(at(server, "app"), { signal: forever() }), { kind: "registry-unavailable" });
  await cp(inFolder("ca.crt"), path.join(parent, server.registry, "ca.crt"));
  await client.reload();
  await client.resolve(at(server, "app"), { signal: forever() });
});

test("an authority of the system's bundle is trusted for every host", { skip }, async () => {
  await using server = await FakeRegistryServer.start(tls);
  server.addImage("app", { tag: "latest" });
  await using client = await testClient({ systemBundles: [inFolder("missing"), inFolder("ca.crt")] });
  await client.resolve(at(server, "app"), { signal: forever() });
});

test("an insecure registry is used over TLS whoever signed its certificate", { skip }, async () => {
  await using server = await FakeRegistryServer.start(tls);
  server.addImage("app", { tag: "latest" });
  await using client = await testClient({ insecureRegistries: [server.registry] });
  await client.resolve(at(server, "app"), { signal: forever() });
});

test("a client certificate is shown to a host that wants one", { skip }, async () => {
  await using server = await FakeRegistryServer.start({ ...tls, requestCert: true });
  server.addImage("app", { tag: "latest" });
  await using stranger = await testClient({ certsDirs: [await certsDir(server, { "ca.crt": "ca.crt" })] });
  await assert.rejects(stranger.resolve(at(server, "app"), { signal: forever() }), { kind: "registry-unavailable" });
  const files = { "ca.crt": "ca.crt", "me.cert": "client.crt", "me.key": "client.key" };
  await using client = await testClient({ certsDirs: [await certsDir(server, files)] });
  await client.resolve(at(server, "app"), { signal: forever() });
  const half = await certsDir(server, { "me.cert": "client.crt" });
  await using confused = await testClient({ certsDirs: [half] });
  await assert.rejects(confused.resolve(at(server, "app"), { signal: forever() }), {
    kind: "failed-precondition",
    message: /has me.cert but not me.key/,
  });
});

test("a redirect from TLS to plain http is refused", { skip }, async () => {
  await using server = await FakeRegistryServer.start(tls);
  await using plain = await FakeRegistryServer.start();
  server.intercept = (_, response) => {
    response.writeHead(302, { location: `http://${plain.registry}/v2/app/manifests/latest` }).end();
    return true;
  };
  await using client = await testClient({ systemBundles: [inFolder("ca.crt")] });
  await assert.rejects(client.resolve(at(server, "app"), { signal: forever() }), { message: /which is not HTTPS/ });
  assert.equal(plain.requests.length, 0);
});

test("a password is not sent to a token server over plain http", { skip }, async () => {
  await using server = await FakeRegistryServer.start(tls);
  await using tokens = await FakeRegistryServer.start();
  server.intercept = (_, response) => {
    response.writeHead(401, { "www-authenticate": `Bearer realm="http://${tokens.registry}/token"` }).end();
    return true;
  };
  await using client = await testClient({ systemBundles: [inFolder("ca.crt")] });
  const auth = { username: "user", password: "pass" };
  await assert.rejects(client.resolve(at(server, "app"), { auth, signal: forever() }), { message: /is not HTTPS/ });
  assert.equal(tokens.requests.length, 0);
});
