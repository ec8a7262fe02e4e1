import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type Server, createServer } from "node:net";
import { test } from "node:test";
import { FakeRegistryServer, sendError } from "./fake-registry-server.ts";
import { at, forever, readAll, testClient } from "./test-client.ts";
import type { RegistryClientOptions } from "./client.ts";

const content = randomBytes(300_000);

/** An image with one layer of `content`, resolved. */
async function resolved(server: FakeRegistryServer, options: RegistryClientOptions = {}) {
  const { manifest } = server.addImage("app", { tag: "latest", layers: [content] });
  const client = await testClient({ insecureRegistries: [server.registry], ...options });
  const image = await client.resolve(at(server, "app"), { signal: forever() });
  const [layer] = manifest.layers;
  assert.ok(layer);
  return { client, layer, source: image.source, [Symbol.asyncDispose]: () => client.close() };
}

test("a blob is read from an offset", async () => {
  await using server = await FakeRegistryServer.start();
  await using setup = await resolved(server);
  const { layer, source } = setup;
  for (const offset of [0, 1, 70_000, content.length - 1, content.length])
    assert.deepEqual(await readAll(await source.download(layer).open(offset, forever())), content.subarray(offset));
});

test("a server that ignores Range, or starts earlier, is read up to the offset", async () => {
  await using server = await FakeRegistryServer.start();
  await using setup = await resolved(server);
  const { layer, source } = setup;
  server.intercept = (_, response) => {
    response.end(content);
    return true;
  };
  assert.deepEqual(await readAll(await source.download(layer).open(123_456, forever())), content.subarray(123_456));
  server.intercept = (_, response) => {
    response.writeHead(206, { "content-range": `bytes 100-${content.length - 1}/${content.length}` });
    response.end(content.subarray(100));
    return true;
  };
  assert.deepEqual(await readAll(await source.download(layer).open(200_000, forever())), content.subarray(200_000));
});

test("an answer that cannot be placed is an error", async () => {
  await using server = await FakeRegistryServer.start();
  await using setup = await resolved(server);
  const { layer, source } = setup;
  for (const range of ["bytes 101-299999/300000", "bytes x", undefined]) {
    server.intercept = (_, response) => {
      response.writeHead(206, range === undefined ? {} : { "content-range": range });
      response.end(content.subarray(100));
      return true;
    };
    await assert.rejects(source.download(layer).open(100, forever()), {
      kind: "unavailable",
      message: /asked for bytes from 100/,
    });
  }
  server.intercept = (_, response) => {
    response.writeHead(416).end();
    return true;
  };
  await assert.rejects(source.download(layer).open(100, forever()), { kind: "unavailable", message: /416/ });
  await assert.rejects(source.download(layer).open(content.length + 1, forever()), { kind: "invalid-argument" });
});

test("a stream that breaks ends with an error, and what came before it was delivered", async () => {
  await using server = await FakeRegistryServer.start();
  await using setup = await resolved(server);
  const { layer, source } = setup;
  server.intercept = (request, response) => {
    if (request.headers.range !== undefined) return false;
    response.writeHead(200, { "content-length": content.length });
    response.write(content.subarray(0, 1000), () => response.destroy());
    return true;
  };
  const received: Uint8Array[] = [];
  const broken = (async () => {
    for await (const chunk of await source.download(layer).open(0, forever())) received.push(chunk);
  })();
  await assert.rejects(broken, {
    kind: "registry-unavailable",
    message: /^RegistryUnavailable: cannot read blob sha256:.* of .*app:latest: GET http:.*blobs/,
  });
  const head = Buffer.concat(received);
  assert.deepEqual(head, content.subarray(0, head.length));
  const rest = await readAll(await source.download(layer).open(head.length, forever()));
  assert.deepEqual(Buffer.concat([head, rest]), content);
});

test("a blob that has more or fewer bytes than declared is an error", async () => {
  await using server = await FakeRegistryServer.start();
  await using setup = await resolved(server);
  const { layer, source } = setup;
  server.intercept = (_, response) => {
    response.end(Buffer.concat([content, content]));
    return true;
  };
  await assert.rejects(readAll(await source.download(layer).open(0, forever())), {
    kind: "data-loss",
    message: /more than the 300000/,
  });
  server.intercept = (_, response) => {
    response.end(content.subarray(0, 500));
    return true;
  };
  await assert.rejects(readAll(await source.download(layer).open(0, forever())), {
    kind: "registry-unavailable",
    message: /it ends after 500 of 300000 bytes/,
  });
});

test("a connection without a byte for the stall time-out is given up", async () => {
  await using server = await FakeRegistryServer.start();
  await using setup = await resolved(server, { stallTimeoutMs: 50, retry: { attempts: 1 } });
  const { layer, source } = setup;
  server.intercept = (_, response) => {
    response.writeHead(200, { "content-length": content.length });
    response.write(content.subarray(0, 1000));
    return true;
  };
  await assert.rejects(readAll(await source.download(layer).open(0, forever())), {
    kind: "registry-unavailable",
    message: /the connection stalled, no bytes for 50 ms/,
  });
  server.intercept = () => true;
  await assert.rejects(source.download(layer).open(0, forever()), (error) => {
    assert.ok(error instanceof Error && "facts" in error);
    assert.match(error.message, /no answer within 50 ms/);
    assert.equal(Object(error.facts).reason, "CONNECTION_TIMEOUT");
    return true;
  });
});

test("a slow reader is not a stalled connection", async () => {
  await using server = await FakeRegistryServer.start();
  await using setup = await resolved(server, { stallTimeoutMs: 400 });
  const { layer, source } = setup;
  const chunks: Uint8Array[] = [];
  for await (const chunk of await source.download(layer).open(0, forever())) {
    // Longer than the stall time-out, once: nobody is waiting for bytes meanwhile.
    if (chunks.length === 0) await new Promise((resolve) => setTimeout(resolve, 500));
    chunks.push(chunk);
  }
  assert.deepEqual(Buffer.concat(chunks), content);
});

test("a redirect is followed without showing the credentials to the other host", async () => {
  await using server = await FakeRegistryServer.start();
  await using cdn = await FakeRegistryServer.start();
  cdn.intercept = (_, response) => {
    response.end(content);
    return true;
  };
  await using setup = await resolved(server);
  const { client, layer } = setup;
  server.intercept = (request, response) => {
    if (!request.url?.includes(layer.digest)) return false;
    response.writeHead(307, { location: `http://${cdn.registry}/signed?key=secret` }).end();
    return true;
  };
  const image = await client.resolve(at(server, "app"), { auth: { registryToken: "token" }, signal: forever() });
  assert.deepEqual(await readAll(await image.source.download(layer).open(0, forever())), content);
  assert.equal(server.requests.at(-1)?.headers.authorization, "Bearer token");
  assert.deepEqual(
    cdn.requests.map(({ url, headers }) => [url, headers.authorization]),
    [["/signed?key=secret", undefined]],
  );
  cdn.intercept = (_, response) => {
    sendError(response, 403, "DENIED");
    return true;
  };
  await assert.rejects(image.source.download(layer).open(0, forever()), (error) => {
    assert.ok(error instanceof Error);
    assert.match(error.message, new RegExp(`GET http://${cdn.registry}/signed: 403 Forbidden \\(DENIED`));
    assert.ok(!JSON.stringify([error, error.message]).includes("secret"));
    return true;
  });
});

test("redirects that go in circles or to other protocols are refused", async () => {
  await using server = await FakeRegistryServer.start();
  await using setup = await resolved(server);
  const { layer, source } = setup;
  for (const location of [`/v2/app/blobs/${layer.digest}`, "file:///etc/passwd", "http://["]) {
    server.intercept = (_, response) => {
      response.writeHead(302, { location }).end();
      return true;
    };
    await assert.rejects(source.download(layer).open(0, forever()), {
      kind: "registry-unavailable",
      message: /redirect/,
    });
  }
});

test("a reset connection is tried again before the blob is opened", async () => {
  await using server = await FakeRegistryServer.start();
  await using setup = await resolved(server);
  const { layer, source } = setup;
  let resets = 2;
  server.intercept = (request) => {
    if (resets === 0) return false;
    resets -= 1;
    request.socket.resetAndDestroy();
    return true;
  };
  assert.deepEqual(await readAll(await source.download(layer).open(0, forever())), content);
});

test("an abort ends the stream with its reason, and cancelling it closes the connection", async () => {
  await using server = await FakeRegistryServer.start();
  await using setup = await resolved(server);
  const { layer, source } = setup;
  server.intercept = (_, response) => {
    response.writeHead(200, { "content-length": content.length });
    response.write(content.subarray(0, 1000));
    return true;
  };
  const abort = new AbortController();
  const reader = (await source.download(layer).open(0, abort.signal)).getReader();
  await reader.read();
  const pending = reader.read();
  abort.abort();
  await assert.rejects(pending, { kind: "cancelled" });
  const stream = await source.download(layer).open(0, forever());
  const closed = Promise.withResolvers<void>();
  server.intercept = undefined;
  const poll = setInterval(() => {
    if (server.openConnections === 0) closed.resolve();
  }, 5);
  await stream.cancel();
  await closed.promise;
  clearInterval(poll);
});

test("closing the client ends what is under way and leaves no connection", async () => {
  await using server = await FakeRegistryServer.start();
  const { client, layer, source } = await resolved(server);
  server.intercept = (_, response) => {
    response.writeHead(200, { "content-length": content.length });
    response.write(content.subarray(0, 1000));
    return true;
  };
  const reader = (await source.download(layer).open(0, forever())).getReader();
  await reader.read();
  const pending = reader.read();
  await client.close();
  await assert.rejects(pending, { kind: "cancelled" });
  await assert.rejects(client.resolve(at(server, "app"), { signal: forever() }), { kind: "cancelled" });
});

test("a host that takes connections but never speaks TLS runs into the connect time-out", async () => {
  const server: Server = createServer(() => {}).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address !== "string");
  await using client = await testClient({ connectTimeoutMs: 50 });
  await assert.rejects(
    client.resolve(at({ registry: `127.0.0.1:${address.port}` }, "app"), { signal: forever() }),
    (error) => {
      assert.ok(error instanceof Error && "facts" in error && "kind" in error);
      assert.equal(error.kind, "registry-unavailable");
      assert.equal(Object(error.facts).reason, "CONNECTION_TIMEOUT");
      return true;
    },
  );
  server.close();
});

test("a refused connection is counted as such", async () => {
  const server = await FakeRegistryServer.start();
  const { registry } = server;
  await server[Symbol.asyncDispose]();
  await using client = await testClient({ insecureRegistries: [registry] });
  await assert.rejects(client.resolve(at({ registry }, "app"), { signal: forever() }), (error) => {
    assert.ok(error instanceof Error && "facts" in error);
    assert.match(error.message, /^RegistryUnavailable: cannot resolve .*ECONNREFUSED.*; GET http:.*ECONNREFUSED/);
    assert.equal(Object(error.facts).reason, "CONNECTION_REFUSED");
    return true;
  });
});
