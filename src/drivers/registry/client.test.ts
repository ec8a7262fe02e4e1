import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FakeRegistryServer, sendError } from "./fake-registry-server.ts";
import { digestOf } from "./digest.ts";
import { mediaTypes } from "./manifests/manifest-document.ts";
import { at, forever, readAll, testClient } from "./test-client.ts";

const amd64 = { os: "linux", architecture: "amd64" };

test("an image is resolved by tag over plain http of an insecure registry", async () => {
  await using server = await FakeRegistryServer.start();
  const { manifest, descriptor, configBytes } = server.addImage("team/app", { tag: "v1" });
  await using client = await testClient({ insecureRegistries: [server.registry] });
  const image = await client.resolve(at(server, "team/app:v1"), { signal: forever() });
  assert.equal(image.topDigest, descriptor.digest);
  assert.equal(image.manifestDigest, descriptor.digest);
  assert.equal(image.manifestMediaType, mediaTypes.ociManifest);
  assert.deepEqual(image.manifest, manifest);
  assert.equal(digestOf(image.manifestBytes), descriptor.digest);
  assert.deepEqual(Buffer.from(image.configBytes), configBytes);
  assert.deepEqual(image.config?.config, { Cmd: ["/bin/sh"] });
  const [layer] = manifest.layers;
  assert.ok(layer);
  assert.equal((await readAll(await image.source.download(layer).open(0, forever()))).toString(), "a layer");
  assert.equal((await readAll(await image.source.download(layer).open(2, forever()))).toString(), "layer");
  assert.equal((await readAll(await image.source.download(layer).open(layer.size, forever()))).byteLength, 0);
});

test("an index leads to the manifest of the platform, also through an index within it", async () => {
  await using server = await FakeRegistryServer.start();
  const arm = server.addImage("app", { platform: { os: "linux", architecture: "arm64" } });
  const intel = server.addImage("app", { platform: amd64 });
  const inner = server.addManifest(
    "app",
    { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [{ ...intel.descriptor, platform: amd64 }] },
    { type: mediaTypes.ociIndex },
  );
  const manifests = [{ ...arm.descriptor, platform: { os: "linux", architecture: "arm64" } }, inner];
  const outer = server.addManifest(
    "app",
    { schemaVersion: 2, manifests },
    { tag: "latest", type: mediaTypes.ociIndex },
  );
  await using client = await testClient({ insecureRegistries: [server.registry] });
  const image = await client.resolve(at(server, "app"), { platform: amd64, signal: forever() });
  assert.equal(image.topDigest, outer.digest);
  assert.equal(image.manifestDigest, intel.descriptor.digest);
});

test("a refusal in plain words is told, one in a web page by its status alone", async () => {
  await using server = await FakeRegistryServer.start();
  await using client = await testClient({ insecureRegistries: [server.registry] });
  const answers = {
    "the licence\nhas \u001b[1mexpired\n": /403 Forbidden \(the licence has \[1mexpired\)$/,
    "<html>no": /403 Forbidden$/,
  };
  for (const [body, message] of Object.entries(answers)) {
    server.intercept = (_, response) => {
      response.statusCode = 403;
      response.end(body);
      return true;
    };
    await assert.rejects(client.resolve(at(server, "app"), { signal: forever() }), {
      kind: "permission-denied",
      message,
    });
  }
});

test("what the registry does not have is not-found, in the registry's words", async () => {
  await using server = await FakeRegistryServer.start();
  await using client = await testClient({ insecureRegistries: [server.registry] });
  await assert.rejects(client.resolve(at(server, "app:gone"), { signal: forever() }), {
    kind: "not-found",
    message:
      `cannot resolve ${server.registry}/app:gone: GET http://${server.registry}/v2/app/manifests/gone: ` +
      "404 Not Found (MANIFEST_UNKNOWN: this is manifest_unknown)",
  });
});

test("a registry that is not insecure is never asked over plain http", async () => {
  await using server = await FakeRegistryServer.start();
  server.addImage("app", { tag: "latest" });
  await using client = await testClient();
  await assert.rejects(client.resolve(at(server, "app"), { signal: forever() }), {
    kind: "registry-unavailable",
    message: /^RegistryUnavailable: cannot resolve .*https:/,
  });
  assert.equal(server.requests.length, 0);
});

test("5xx and 429 answers are tried again, and reported when they stay", async () => {
  await using server = await FakeRegistryServer.start();
  server.addImage("app", { tag: "latest" });
  let failures = 2;
  server.intercept = (request, response) => {
    if (!request.url?.includes("/manifests/") || failures === 0) return false;
    failures -= 1;
    sendError(response, failures === 0 ? 503 : 429, "TOOMANYREQUESTS", { "retry-after": "0" });
    return true;
  };
  await using client = await testClient({ insecureRegistries: [server.registry] });
  await client.resolve(at(server, "app"), { signal: forever() });
  failures = Number.POSITIVE_INFINITY;
  await assert.rejects(client.resolve(at(server, "app"), { signal: forever() }), (error) => {
    assert.ok(error instanceof Error && "facts" in error && "kind" in error);
    assert.equal(error.kind, "registry-unavailable");
    assert.match(error.message, /^RegistryUnavailable: .*429 Too Many Requests \(TOOMANYREQUESTS: /);
    assert.deepEqual(
      Object.entries(error.facts ?? {}).find(([key]) => key === "reason"),
      ["reason", "TOOMANYREQUESTS"],
    );
    return true;
  });
});

test("an insecure registry that was found to speak plain http is asked that way from then on", async () => {
  await using server = await FakeRegistryServer.start();
  server.addImage("app", { tag: "latest" });
  await using client = await testClient({ insecureRegistries: [server.registry] });
  await client.resolve(at(server, "app"), { signal: forever() });
  const before = server.connectionCount;
  await client.resolve(at(server, "app"), { signal: forever() });
  assert.equal(server.connectionCount, before, "no further attempt at TLS, and the connection is kept");
});

test("plain http goes through the proxy of the environment, unless NO_PROXY has the host", async () => {
  await using server = await FakeRegistryServer.start();
  await using proxy = await FakeRegistryServer.start();
  proxy.intercept = (_, response) => {
    sendError(response, 404, "FROM_THE_PROXY");
    return true;
  };
  const env = { HTTP_PROXY: `http://${proxy.registry}` };
  await using client = await testClient({ insecureRegistries: [server.registry], env });
  await assert.rejects(client.resolve(at(server, "app"), { signal: forever() }), { message: /FROM_THE_PROXY/ });
  assert.equal(proxy.requests[0]?.url, `http://${server.registry}/v2/app/manifests/latest`);
  server.addImage("app", { tag: "latest" });
  await using direct = await testClient({
    insecureRegistries: [server.registry],
    env: { ...env, NO_PROXY: "127.0.0.1" },
  });
  await direct.resolve(at(server, "app"), { signal: forever() });
});

test("a reload that fails leaves the old configuration in force", async () => {
  const directory = await mkdtemp(join(tmpdir(), "berth-reload-"));
  const file = join(directory, "registries.conf");
  await writeFile(file, 'unqualified-search-registries = ["a.io"]');
  await using client = await testClient({ registriesConfFile: file });
  const candidates = () => client.candidates("app").map(({ registry }) => registry);
  assert.deepEqual(candidates(), ["a.io"]);
  await writeFile(file, "unqualified-search-registries = 1");
  await assert.rejects(client.reload(), { kind: "failed-precondition", message: /cannot use .*registries.conf: / });
  assert.deepEqual(candidates(), ["a.io"]);
  await writeFile(file, 'unqualified-search-registries = ["b.io"]');
  await client.reload();
  assert.deepEqual(candidates(), ["b.io"]);
  await rm(directory, { recursive: true });
});

test("a deadline of the caller is reported as one", async () => {
  await using server = await FakeRegistryServer.start();
  server.intercept = () => true;
  await using client = await testClient({ insecureRegistries: [server.registry] });
  await assert.rejects(client.resolve(at(server, "app"), { signal: AbortSignal.timeout(50) }), {
    kind: "deadline-exceeded",
  });
  await assert.rejects(client.resolve(at(server, "app"), { signal: AbortSignal.abort() }), { kind: "cancelled" });
});

test("a manifest whose connection breaks half-way is fetched again", async () => {
  await using server = await FakeRegistryServer.start();
  server.addImage("app", { tag: "latest" });
  let breaks = 2;
  server.intercept = (request, response) => {
    if (!request.url?.includes("/manifests/") || breaks === 0) return false;
    breaks -= 1;
    response.writeHead(200, { "content-length": 1000 });
    response.write("{", () => response.destroy());
    return true;
  };
  await using client = await testClient({ insecureRegistries: [server.registry] });
  await client.resolve(at(server, "app"), { signal: forever() });
  assert.equal(breaks, 0);
});
