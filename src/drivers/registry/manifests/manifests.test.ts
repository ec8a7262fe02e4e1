import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { FakeRegistryServer, sendError } from "../fake-registry-server.ts";
import { mediaTypes } from "./manifest-document.ts";
import { formatReference } from "../names/reference.ts";
import { amd64, at, clientWith, forever, readAll, resolving, testClient, zeros } from "../test-client.ts";
import type { Digest } from "#spec/oci-image.ts";

test("a manifest with another digest than the one asked for is data loss", async () => {
  await using setup = await resolving();
  const { server, resolve } = setup;
  const { descriptor, manifest } = server.addImage("app", { tag: "latest" });
  server.intercept = (request, response) => {
    if (!request.url?.includes("/manifests/")) return false;
    response.end(JSON.stringify({ ...manifest, annotations: { changed: "yes" } }));
    return true;
  };
  await assert.rejects(resolve(`app@${descriptor.digest}`), {
    kind: "data-loss",
    message: /the manifest sha256:.* has digest sha256:.*, expected sha256:/,
  });
});

test("a manifest that does not fit the digest in the answer's header is data loss", async () => {
  await using setup = await resolving();
  const { server, resolve } = setup;
  server.addImage("app", { tag: "latest" });
  server.intercept = (_, response) => {
    response.setHeader("docker-content-digest", zeros);
    response.end(JSON.stringify({ schemaVersion: 2, manifests: [] }));
    return true;
  };
  await assert.rejects(resolve("app"), { kind: "data-loss" });
});

test("a damaged manifest is told by its digest, also where it cannot be read any more", async () => {
  await using setup = await resolving();
  const { server, resolve } = setup;
  const { descriptor, manifest } = server.addImage("app", { tag: "latest" });
  const whole = Buffer.from(JSON.stringify(manifest));
  server.intercept = (request, response) => {
    if (!request.url?.includes("/manifests/")) return false;
    response.setHeader("docker-content-digest", descriptor.digest);
    response.end(whole.subarray(0, whole.length / 2));
    return true;
  };
  for (const name of ["app", `app@${descriptor.digest}`]) {
    await assert.rejects(resolve(name), {
      kind: "data-loss",
      message: /the manifest .* has digest sha256:.*, expected sha256:/,
    });
  }
});

test("a sha512 digest is asked for, verified and kept", async () => {
  await using setup = await resolving();
  const { server, resolve } = setup;
  const { manifest } = server.addImage("app");
  const bytes = Buffer.from(JSON.stringify(manifest));
  const digest: Digest = `sha512:${createHash("sha512").update(bytes).digest("hex")}`;
  server.intercept = (request, response) => {
    if (request.url !== `/v2/app/manifests/${digest}`) return false;
    response.end(bytes);
    return true;
  };
  assert.equal((await resolve(`app@${digest}`)).topDigest, digest);
});

test("a config with another digest or size than the manifest says is refused", async () => {
  await using setup = await resolving();
  const { server, resolve } = setup;
  const { manifest, configBytes } = server.addImage("app", { tag: "latest" });
  let body = Buffer.from(configBytes.toString().replace("/bin/sh", "/bin/no"));
  server.intercept = (request, response) => {
    if (!request.url?.includes(manifest.config.digest)) return false;
    response.end(body);
    return true;
  };
  await assert.rejects(resolve("app"), { kind: "data-loss", message: /the config sha256:/ });
  body = Buffer.concat([configBytes, Buffer.from(" ")]);
  await assert.rejects(resolve("app"), { kind: "invalid-argument", message: /has more than \d+ bytes/ });
});

test("old Docker images whose config has a vague media type are images, and what only looks like one is an artifact", async () => {
  await using setup = await resolving();
  const { server, resolve } = setup;
  const { manifest } = server.addImage("app");
  const put = (tag: string, mediaType: string, config: object): void => {
    const type = mediaType;
    server.addManifest("app", { ...manifest, mediaType, config: { ...manifest.config, ...config } }, { tag, type });
  };
  const digest = server.addBlob("app", Buffer.from("{}"));
  for (const mediaType of ["application/octet-stream", ""]) {
    put("docker", mediaTypes.dockerManifest, { mediaType });
    assert.deepEqual((await resolve("app:docker")).config?.config, { Cmd: ["/bin/sh"] });
    put("other", mediaTypes.dockerManifest, { mediaType, digest, size: 2 });
    assert.equal((await resolve("app:other")).config, undefined);
    put("oci", mediaTypes.ociManifest, { mediaType });
    assert.equal((await resolve("app:oci")).config, undefined);
  }
});

test("documents that are no usable manifest are invalid arguments", async () => {
  await using setup = await resolving({ limits: { layers: 3, totalLayerBytes: 1000, manifestBytes: 5000 } });
  const { server, resolve } = setup;
  const config = { mediaType: mediaTypes.ociConfig, digest: zeros, size: 2 };
  const layer = { mediaType: mediaTypes.ociLayer, digest: zeros, size: 10 };
  const good = { schemaVersion: 2, config, layers: [layer] };
  const cases: [object | Uint8Array, RegExp][] = [
    [Buffer.from("<html>"), /not a usable manifest/],
    [Buffer.from("[]"), /the document is not an object/],
    [Buffer.from([0x7b, 0xff, 0x7d]), /not a usable manifest/],
    [{}, /schemaVersion is undefined/],
    [{ schemaVersion: 3 }, /schemaVersion is 3/],
    [{ ...good, manifests: [] }, /both an index and a manifest/],
    [{ ...good, mediaType: mediaTypes.ociIndex }, /does not fit its content/],
    [{ ...good, config: undefined }, /config is not an object/],
    [{ ...good, config: { ...config, digest: "sha256:../../etc" } }, /config has the digest "sha256:..\/..\/etc"/],
    [{ ...good, config: { ...config, size: 9 * 1024 ** 2 } }, /its config has/],
    [{ ...good, layers: [{ ...layer, size: -1 }] }, /layers\[0\] has the size -1/],
    [{ ...good, layers: [{ ...layer, size: 1.5 }] }, /layers\[0\] has the size 1.5/],
    [{ ...good, layers: [{ ...layer, size: 1001 }] }, /its layers have 1001 bytes, more than 1000/],
    [{ ...good, layers: [layer, layer, layer, layer] }, /it has 4 layers, more than 3/],
    [{ ...good, annotations: { long: "x".repeat(5000) } }, /has more than 5000 bytes/],
    [{ schemaVersion: 2, manifests: [{ ...layer, platform: { os: 1 } }] }, /manifests\[0\].platform/],
    [{ schemaVersion: 2, manifests: [] }, /has nothing for linux\/amd64, only no platforms at all/],
    [
      { schemaVersion: 2, manifests: [{ ...layer, platform: { os: "linux", architecture: "arm", variant: "v7" } }] },
      /has nothing for linux\/amd64, only linux\/arm\/v7/,
    ],
  ];
  for (const [document, message] of cases) {
    server.addManifest("bad", document, { tag: "latest" });
    await assert.rejects(resolve("bad"), { kind: "invalid-argument", message });
  }
});

test("configs whose fields have the wrong type are invalid arguments", async () => {
  await using setup = await resolving();
  const { server, resolve } = setup;
  const cases: [object, RegExp][] = [
    [{ config: { Env: [1] } }, /config.Env is not a list of strings/],
    [{ config: { User: {} } }, /config.User is not a string/],
    [{ config: [] }, /config is not an object/],
    [{ rootfs: { type: "layers", diff_ids: [] } }, /it has 0 diff_ids for 1 layers/],
    [{ rootfs: { type: "layers", diff_ids: ["sha256:x"] } }, /not a list of digests/],
    [{ rootfs: undefined }, /rootfs is not an object/],
  ];
  for (const [config, message] of cases) {
    server.addImage("bad", { tag: "latest", config });
    await assert.rejects(resolve("bad"), { kind: "invalid-argument", message });
  }
});

test("what Go writes as null is absent in the config", async () => {
  await using setup = await resolving();
  const { server, resolve } = setup;
  const config = { Env: null, Entrypoint: null, Cmd: "single", Labels: null, Volumes: null, User: "1000" };
  server.addImage("app", { tag: "latest", config: { config, history: [{ created_by: "x", empty_layer: true }] } });
  const image = await resolve("app");
  assert.deepEqual(image.config?.config, { User: "1000", Cmd: ["single"] });
  assert.deepEqual(image.config?.history, [{ created_by: "x", empty_layer: true }]);
});

test("an artifact has no image config", async () => {
  await using setup = await resolving();
  const { server, resolve } = setup;
  const config = {
    mediaType: "application/vnd.oci.empty.v1+json",
    digest: server.addBlob("art", Buffer.from("{}")),
    size: 2,
  };
  const file = Buffer.from("any file");
  const layer = { mediaType: "text/plain", digest: server.addBlob("art", file), size: file.length };
  server.addManifest("art", { schemaVersion: 2, artifactType: "a/b", config, layers: [layer] }, { tag: "latest" });
  const artifact = await resolve("art");
  assert.equal(artifact.config, undefined);
  assert.equal(artifact.manifest.artifactType, "a/b");
  assert.deepEqual(await readAll(await artifact.source.download(layer).open(0, forever())), file);
});

test("an index may not lie about the size of its manifests, nor nest for ever", async () => {
  await using setup = await resolving();
  const { server, resolve } = setup;
  const { descriptor } = server.addImage("app");
  const type = mediaTypes.ociIndex;
  const lying = { ...descriptor, size: descriptor.size + 1, platform: amd64 };
  server.addManifest("app", { schemaVersion: 2, manifests: [lying] }, { tag: "lying", type });
  await assert.rejects(resolve("app:lying"), { kind: "data-loss", message: /its index declares/ });
  let inner = descriptor;
  for (let depth = 0; depth < 5; depth += 1)
    inner = server.addManifest("app", { schemaVersion: 2, manifests: [inner] }, { tag: `depth-${depth + 1}`, type });
  assert.equal((await resolve("app:depth-4")).manifestDigest, descriptor.digest);
  await assert.rejects(resolve("app:depth-5"), { kind: "invalid-argument", message: /more than 4 levels deep/ });
});

test("mirrors are tried in order, and the message says what failed where", async () => {
  await using first = await FakeRegistryServer.start();
  await using second = await FakeRegistryServer.start();
  await using setup = await resolving();
  const { server } = setup;
  const conf = JSON.stringify([
    {
      location: server.registry,
      insecure: true,
      mirror: [first, second].map((m) => ({ location: `${m.registry}/m`, insecure: true })),
    },
  ]);
  await using client = await clientWith(conf);
  const resolve = (auth = {}) => client.resolve(at(server, "app"), { platform: amd64, auth, signal: forever() });
  await assert.rejects(resolve(), (error) => {
    assert.ok(error instanceof Error && "kind" in error && error.kind === "not-found");
    const places = [...error.message.matchAll(/at (\S+): GET/g)].map(([, place]) => place);
    assert.deepEqual(places, [`${first.registry}/m/app`, `${second.registry}/m/app`, `${server.registry}/app`]);
    return true;
  });
  server.addImage("app", { tag: "latest" });
  const { manifest } = second.addImage("m/app", { tag: "latest" });
  first.intercept = (_, response) => {
    sendError(response, 401, "UNAUTHORIZED", { "www-authenticate": "Basic" });
    return true;
  };
  const image = await resolve({ username: "user", password: "pass" });
  assert.equal(formatReference(image.reference), `${server.registry}/app:latest`);
  assert.ok([...first.requests, ...second.requests].every(({ headers }) => headers.authorization === undefined));
  const [layer] = manifest.layers;
  assert.ok(layer);
  const asked = server.requests.length;
  assert.equal((await readAll(await image.source.download(layer).open(0, forever()))).toString(), "a layer");
  assert.equal(server.requests.length, asked, "the mirror serves the blob");
  second.intercept = (_, response) => {
    sendError(response, 404, "BLOB_UNKNOWN");
    return true;
  };
  assert.equal((await readAll(await image.source.download(layer).open(0, forever()))).toString(), "a layer");
  assert.equal(server.requests.length, asked + 1, "the registry serves what the mirror has lost");
});

test("a manifest or config that a mirror has damaged comes from the next place, or the message says what was wrong where", async () => {
  await using mirror = await FakeRegistryServer.start();
  await using setup = await resolving();
  const { server } = setup;
  const { manifest, descriptor } = server.addImage("app", { tag: "latest" });
  const location = { location: `${mirror.registry}/m`, insecure: true };
  await using client = await clientWith(
    JSON.stringify([{ location: server.registry, insecure: true, mirror: [location] }]),
  );
  const damaged: { served: string | undefined; as: string }[] = [
    { served: JSON.stringify({ ...manifest, layers: [] }), as: "manifest" },
    { served: undefined, as: "config" },
  ];
  for (const { served, as } of damaged) {
    mirror.intercept = (request, response) => {
      const isManifest = request.url?.includes("/manifests/") === true;
      if (isManifest) response.writeHead(200, { "docker-content-digest": descriptor.digest });
      response.end(isManifest ? (served ?? JSON.stringify(manifest)) : "{}");
      return true;
    };
    const resolve = () => client.resolve(at(server, "app"), { platform: amd64, signal: forever() });
    server.intercept = undefined;
    assert.equal((await resolve()).manifestDigest, descriptor.digest);
    server.intercept = (_, response) => {
      sendError(response, 404, "UNKNOWN");
      return true;
    };
    await assert.rejects(resolve(), (error) => {
      assert.ok(error instanceof Error);
      assert.ok(error.message.includes(`at ${mirror.registry}/m/app: the ${as} `), error.message);
      assert.match(error.message, new RegExp(`has digest sha256:.*; at ${server.registry}/app: GET .*404`));
      return true;
    });
  }
});

test("credentials for another server address are not sent", async () => {
  await using setup = await resolving();
  const { server } = setup;
  server.intercept = (_, response) => {
    sendError(response, 401, "UNAUTHORIZED", { "www-authenticate": "Basic" });
    return true;
  };
  await using client = await testClient({ insecureRegistries: [server.registry] });
  const auth = { username: "user", password: "pass", serverAddress: "https://other.example.com" };
  await assert.rejects(client.resolve(at(server, "app"), { auth, signal: forever() }), { kind: "unauthenticated" });
  assert.ok(server.requests.every(({ headers }) => headers.authorization === undefined));
});
