import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { FakeRegistryServer, sendError } from "./fake-registry-server.ts";
import { at, clientWith, forever, readAll } from "./test-client.ts";

const content = randomBytes(10_000);
const damaged = randomBytes(content.length);

/** An image with one layer of `content` at a registry, of which a mirror has another content. */
async function mirrored() {
  await using undo = new AsyncDisposableStack();
  const server = undo.use(await FakeRegistryServer.start());
  const mirror = undo.use(await FakeRegistryServer.start());
  const { manifest } = server.addImage("app", { tag: "latest", layers: [content] });
  const [layer] = manifest.layers;
  assert.ok(layer);
  mirror.addImage("m/app", { tag: "latest", layers: [content] });
  mirror.intercept = (request, response) => {
    if (request.url?.includes(`/blobs/${layer.digest}`) !== true) return false;
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, { "content-range": `bytes ${start}-` });
    response.end(damaged.subarray(start));
    return true;
  };
  const location = { location: `${mirror.registry}/m`, insecure: true };
  const conf = JSON.stringify([{ location: server.registry, insecure: true, mirror: [location] }]);
  const client = undo.use(await clientWith(conf));
  const { source } = await client.resolve(at(server, "app"), { signal: forever() });
  const stack = undo.move();
  return { server, mirror, layer, source, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test("a blob whose content is rejected comes from the next place, and the last rejection names all places", async () => {
  await using setup = await mirrored();
  const { server, mirror, layer, source } = setup;
  const download = source.download(layer);
  assert.deepEqual(await readAll(await download.open(0, forever())), damaged);
  download.reject("its digest is another");
  assert.deepEqual(await readAll(await download.open(0, forever())), content);
  assert.throws(() => download.reject("it does not unpack"), {
    kind: "data-loss",
    message:
      `cannot read blob ${layer.digest} of ${server.registry}/app:latest: ` +
      `at ${mirror.registry}/m/app: its digest is another; at ${server.registry}/app: it does not unpack`,
  });
});

test("a place that cannot be asked after another was rejected is named together with that", async () => {
  await using setup = await mirrored();
  const { server, mirror, layer, source } = setup;
  const download = source.download(layer);
  await readAll(await download.open(0, forever()));
  download.reject("its digest is another");
  server.intercept = (_, response) => {
    sendError(response, 404, "BLOB_UNKNOWN");
    return true;
  };
  await assert.rejects(download.open(0, forever()), {
    kind: "not-found",
    message: new RegExp(
      `at ${mirror.registry}/m/app: its digest is another; at ${server.registry}/app: GET .*BLOB_UNKNOWN`,
    ),
  });
});

test("two downloads of one blob reject places each for itself", async () => {
  await using setup = await mirrored();
  const { layer, source } = setup;
  const [one, other] = [source.download(layer), source.download(layer)];
  for (const download of [one, other]) await readAll(await download.open(0, forever()));
  for (const download of [one, other]) download.reject("its digest is another");
  for (const download of [one, other]) assert.deepEqual(await readAll(await download.open(0, forever())), content);
});

test("of a blob that came in two parts the place of the first is rejected, the message names both", async () => {
  await using setup = await mirrored();
  const { server, mirror, layer, source } = setup;
  const download = source.download(layer);
  const reader = (await download.open(0, forever())).getReader();
  await reader.read();
  await reader.cancel();
  mirror.intercept = (_, response) => {
    sendError(response, 404, "BLOB_UNKNOWN");
    return true;
  };
  await readAll(await download.open(100, forever()));
  download.reject("its digest is another");
  assert.deepEqual(await readAll(await download.open(0, forever())), content);
  assert.throws(() => download.reject("once more"), {
    message: new RegExp(
      `at ${mirror.registry}/m/app and ${server.registry}/app: its .*; at ${server.registry}/app: once more`,
    ),
  });
});

test("a place that answers and then gives no byte is asked last", async () => {
  await using setup = await mirrored();
  const { mirror, layer, source } = setup;
  mirror.intercept = (_, response) => {
    response.writeHead(200, { "content-length": content.length });
    response.flushHeaders();
    response.destroy();
    return true;
  };
  const download = source.download(layer);
  await assert.rejects(async () => readAll(await download.open(0, forever())), { kind: "registry-unavailable" });
  assert.deepEqual(await readAll(await download.open(0, forever())), content);
});

test("a place that was rejected does not come back when its answer breaks off later", async () => {
  await using setup = await mirrored();
  const { mirror, layer, source } = setup;
  mirror.intercept = (_, response) => {
    response.writeHead(200, { "content-length": content.length });
    response.flushHeaders();
    return true;
  };
  const download = source.download(layer);
  const reader = (await download.open(0, forever())).getReader();
  const broken = assert.rejects(reader.read(), { kind: "registry-unavailable" });
  download.reject("it sends nothing");
  mirror.dropConnections();
  await broken;
  assert.deepEqual(await readAll(await download.open(0, forever())), content);
  assert.throws(() => download.reject("it does not unpack"), { kind: "data-loss" });
});
