import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { digestOf } from "../digest.ts";
import { mediaTypes } from "./manifest-document.ts";
import { forever, readAll, resolving, zeros } from "../test-client.ts";
import type { Digest } from "#spec/oci-image.ts";

/** A schema 1 manifest, signed the way old docker clients did (the signature itself is never checked). */
function schema1(layers: { blob: Digest; v1: object }[], signed: boolean): { bytes: Buffer; payload: Buffer } {
  const document = {
    schemaVersion: 1,
    name: "old",
    tag: "latest",
    architecture: "amd64",
    fsLayers: layers.map(({ blob }) => ({ blobSum: blob })).reverse(),
    history: layers.map(({ v1 }) => ({ v1Compatibility: JSON.stringify(v1) })).reverse(),
  };
  const payload = Buffer.from(JSON.stringify(document, undefined, 3));
  if (!signed) return { bytes: payload, payload };
  const formatLength = payload.length - 2;
  const header = { formatLength, formatTail: payload.subarray(formatLength).toString("base64url"), time: "2015" };
  const signatures = [
    { header: { alg: "ES256" }, signature: "x", protected: Buffer.from(JSON.stringify(header)).toString("base64url") },
  ];
  const tail = `,\n   "signatures": ${JSON.stringify(signatures)}\n}`;
  return { bytes: Buffer.concat([payload.subarray(0, formatLength), Buffer.from(tail)]), payload };
}

for (const signed of [true, false])
  test(`a ${signed ? "signed" : "plain"} schema 1 manifest arrives as an OCI image`, async () => {
    await using setup = await resolving();
    const { server, resolve } = setup;
    const tars = [Buffer.from("base layer ".repeat(1000)), Buffer.from("top layer")];
    const blobs = tars.map((tar) => gzipSync(tar));
    const [base, top] = blobs.map((blob) => server.addBlob("old", blob));
    assert.ok(base && top);
    const config = { Cmd: ["/bin/app"], Env: ["A=b"] };
    const { bytes, payload } = schema1(
      [
        {
          blob: base,
          v1: { id: "1", created: "2015-01-01T00:00:00Z", container_config: { Cmd: ["/bin/sh", "-c", "#(nop) ADD"] } },
        },
        { blob: zeros, v1: { id: "2", parent: "1", throwaway: true, container_config: { Cmd: ["ENV A=b"] } } },
        {
          blob: top,
          v1: { id: "3", parent: "2", created: "2015-01-02T00:00:00Z", architecture: "amd64", os: "linux", config },
        },
      ],
      signed,
    );
    const type = signed ? mediaTypes.schema1Signed : mediaTypes.schema1;
    server.intercept = (request, response) => {
      if (!request.url?.includes("/manifests/")) return false;
      response.writeHead(200, { "content-type": type, "docker-content-digest": digestOf(payload) }).end(bytes);
      return true;
    };
    const image = await resolve("old");
    assert.equal(image.topDigest, digestOf(payload));
    assert.equal(image.manifestDigest, digestOf(image.manifestBytes));
    assert.equal(image.manifestMediaType, mediaTypes.ociManifest);
    assert.deepEqual(
      image.manifest.layers.map(({ digest, size, mediaType }) => [digest, size, mediaType]),
      [
        [base, blobs[0]?.length, `${mediaTypes.ociLayer}+gzip`],
        [top, blobs[1]?.length, `${mediaTypes.ociLayer}+gzip`],
      ],
    );
    assert.deepEqual(
      image.config?.rootfs.diff_ids,
      tars.map((tar) => digestOf(tar)),
    );
    assert.deepEqual(image.config?.config, { Cmd: ["/bin/app"], Env: ["A=b"] });
    assert.deepEqual(
      image.config?.history?.map(({ empty_layer }) => empty_layer),
      [undefined, true, undefined],
    );
    assert.equal(digestOf(image.configBytes), image.manifest.config.digest);
    assert.equal((await resolve(`old@${digestOf(payload)}`)).manifestDigest, image.manifestDigest);
    const [layer] = image.manifest.layers;
    assert.ok(layer);
    assert.deepEqual(await readAll(await image.source.download(layer).open(0, forever())), blobs[0]);
  });

test("schema 1 layers that do not unpack, unpack to too much or have another digest are refused", async () => {
  await using setup = await resolving({ limits: { uncompressedBytes: 10_000 } });
  const { server, resolve } = setup;
  const serve = (blob: Digest) =>
    server.addManifest("old", schema1([{ blob, v1: {} }], false).bytes, { tag: "latest" });
  serve(server.addBlob("old", gzipSync(Buffer.alloc(20_000))));
  await assert.rejects(resolve("old"), { kind: "invalid-argument", message: /unpacks to more than 10000 bytes/ });
  serve(server.addBlob("old", gzipSync(Buffer.from("truncated")).subarray(0, 15)));
  await assert.rejects(resolve("old"), { kind: "invalid-argument", message: /unexpected end of file/ });
  const digest = server.addBlob("old", Buffer.from("a"));
  serve(digest);
  server.intercept = (request, response) => {
    if (!request.url?.includes(digest)) return false;
    response.end("b");
    return true;
  };
  await assert.rejects(resolve("old"), { kind: "data-loss", message: /the blob sha256:.* has digest sha256:/ });
});

test("malformed schema 1 manifests are invalid arguments", async () => {
  await using setup = await resolving();
  const { server, resolve } = setup;
  const history = [{ v1Compatibility: "{}" }];
  const cases: [object, RegExp][] = [
    [{ fsLayers: [], history: [] }, /it has no layers/],
    [{ fsLayers: [{ blobSum: zeros }], history: [] }, /do not have the same length/],
    [{ fsLayers: [{ blobSum: "x" }], history }, /the blobSum "x" cannot be checked/],
    [{ fsLayers: [{ blobSum: zeros }], history: [{}] }, /no v1Compatibility/],
    [{ fsLayers: [{ blobSum: zeros }], history, signatures: [{ protected: "e30" }] }, /no usable formatLength/],
  ];
  for (const [fields, message] of cases) {
    server.addManifest("bad", { schemaVersion: 1, ...fields }, { tag: "latest" });
    await assert.rejects(resolve("bad"), { kind: "invalid-argument", message });
  }
});
