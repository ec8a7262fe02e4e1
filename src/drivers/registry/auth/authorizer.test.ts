import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { test } from "node:test";
import { FakeRegistryServer, sendError } from "../fake-registry-server.ts";
import { at, forever, readAll, testClient } from "../test-client.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");

async function bodyOf(request: IncomingMessage): Promise<URLSearchParams> {
  return new URLSearchParams(Buffer.concat(await Array.fromAsync<Buffer>(request)).toString());
}

/** Makes `server` want the bearer token that `issue` gives at its /token path. */
function requireToken(
  server: FakeRegistryServer,
  issue: (request: IncomingMessage, response: ServerResponse) => string | undefined | Promise<string | undefined>,
  options: { accepts?: (token: string) => boolean; expiresIn?: number } = {},
): void {
  const accepts = options.accepts ?? ((token) => token === "good");
  server.intercept = async (request, response) => {
    if (request.url?.startsWith("/token") === true) {
      const token = await issue(request, response);
      if (token === undefined) sendError(response, 401, "UNAUTHORIZED");
      else response.end(JSON.stringify({ token, expires_in: options.expiresIn ?? 300 }));
      return true;
    }
    if (accepts((request.headers.authorization ?? "").replace("Bearer ", ""))) return false;
    const challenge = `Bearer realm="http://${server.registry}/token",service="the registry"`;
    sendError(response, 401, "UNAUTHORIZED", { "www-authenticate": challenge });
    return true;
  };
}

const tokenRequests = (server: FakeRegistryServer) => server.requests.filter(({ url }) => url.startsWith("/token"));

test("a token is fetched without credentials, once, and used for everything of the repository", async () => {
  await using server = await FakeRegistryServer.start();
  const { manifest } = server.addImage("team/app", { tag: "latest", layers: [Buffer.from("one"), Buffer.from("two")] });
  requireToken(server, () => "good");
  await using client = await testClient({ insecureRegistries: [server.registry] });
  const image = await client.resolve(at(server, "team/app"), { signal: forever() });
  await Promise.all(
    manifest.layers.map(async (layer) => readAll(await image.source.download(layer).open(0, forever()))),
  );
  await client.resolve(at(server, "team/app"), { signal: forever() });
  const [first, ...more] = tokenRequests(server);
  assert.deepEqual(more, []);
  const query = new URL(`http://x${first?.url}`).searchParams;
  assert.deepEqual(Object.fromEntries(query), { service: "the registry", scope: "repository:team/app:pull" });
  assert.equal(first?.headers.authorization, undefined);
});

test("parallel pulls of a repository share one token request", async () => {
  await using server = await FakeRegistryServer.start();
  server.addImage("app", { tag: "latest" });
  requireToken(server, () => "good");
  await using client = await testClient({ insecureRegistries: [server.registry] });
  const pulls = Array.from({ length: 5 }, () => client.resolve(at(server, "app"), { signal: forever() }));
  await Promise.all(pulls);
  assert.equal(tokenRequests(server).length, 1);
});

test("user name and password go to the token server, and only there", async () => {
  await using server = await FakeRegistryServer.start();
  server.addImage("app", { tag: "latest" });
  const basic = `Basic ${base64("user:pass")}`;
  requireToken(server, (request) => (request.headers.authorization === basic ? "good" : undefined));
  await using client = await testClient({ insecureRegistries: [server.registry] });
  await client.resolve(at(server, "app"), { auth: { username: "user", password: "pass" }, signal: forever() });
  await client.resolve(at(server, "app"), { auth: { auth: base64("user:pass") }, signal: forever() });
  assert.equal(tokenRequests(server).length, 1, "equal credentials share their token");
  const others = server.requests.filter(({ url }) => !url.startsWith("/token"));
  assert.ok(others.every(({ headers }) => headers.authorization !== basic));
});

test("a token of one user is not used for another", async () => {
  await using server = await FakeRegistryServer.start();
  server.addImage("app", { tag: "latest" });
  const basic = `Basic ${base64("user:pass")}`;
  requireToken(server, (request) => (request.headers.authorization === basic ? "good" : undefined));
  await using client = await testClient({ insecureRegistries: [server.registry] });
  await client.resolve(at(server, "app"), { auth: { username: "user", password: "pass" }, signal: forever() });
  for (const auth of [{}, { username: "user", password: "wrong" }])
    await assert.rejects(client.resolve(at(server, "app"), { auth, signal: forever() }), {
      kind: "unauthenticated",
      message: /^cannot resolve .*app:latest: no token: GET http:.*\/token: 401 Unauthorized \(UNAUTHORIZED: /,
    });
});

test("an identity token is exchanged by POST", async () => {
  await using server = await FakeRegistryServer.start();
  server.addImage("app", { tag: "latest" });
  let form = new URLSearchParams();
  requireToken(server, async (request) => {
    form = await bodyOf(request);
    return request.method === "POST" && form.get("refresh_token") === "refresh" ? "good" : undefined;
  });
  await using client = await testClient({ insecureRegistries: [server.registry] });
  await client.resolve(at(server, "app"), { auth: { identityToken: "refresh" }, signal: forever() });
  assert.equal(form.get("grant_type"), "refresh_token");
  assert.equal(form.get("service"), "the registry");
  assert.equal(form.get("scope"), "repository:app:pull");
});

test("a registry token is sent as it is, and a refused one is reported", async () => {
  await using server = await FakeRegistryServer.start();
  server.addImage("app", { tag: "latest" });
  requireToken(server, () => "never asked");
  await using client = await testClient({ insecureRegistries: [server.registry] });
  await client.resolve(at(server, "app"), { auth: { registryToken: "good" }, signal: forever() });
  await assert.rejects(client.resolve(at(server, "app"), { auth: { registryToken: "bad" }, signal: forever() }), {
    kind: "unauthenticated",
  });
  assert.equal(tokenRequests(server).length, 0);
});

test("a token that the registry no longer takes is fetched anew", async () => {
  await using server = await FakeRegistryServer.start();
  server.addImage("app", { tag: "latest" });
  let generation = 1;
  requireToken(server, () => `token-${generation}`, { accepts: (token) => token === `token-${generation}` });
  await using client = await testClient({ insecureRegistries: [server.registry] });
  const image = await client.resolve(at(server, "app"), { signal: forever() });
  generation = 2;
  const [layer] = image.manifest.layers;
  assert.ok(layer);
  assert.equal((await readAll(await image.source.download(layer).open(0, forever()))).toString(), "a layer");
  assert.equal(tokenRequests(server).length, 2);
});

test("a registry that refuses its own token is not asked for ever", async () => {
  await using server = await FakeRegistryServer.start();
  requireToken(server, () => "token", { accepts: () => false });
  await using client = await testClient({ insecureRegistries: [server.registry] });
  await assert.rejects(client.resolve(at(server, "app"), { signal: forever() }), {
    kind: "unauthenticated",
    message: /401 Unauthorized \(UNAUTHORIZED: this is unauthorized\)/,
  });
  assert.equal(server.requests.filter(({ url }) => url.startsWith("/v2/app/")).length, 2);
});

test("Basic credentials are sent after a challenge only, then at once", async () => {
  await using server = await FakeRegistryServer.start();
  server.addImage("app", { tag: "latest" });
  const basic = `Basic ${base64("user:pass")}`;
  server.intercept = (request, response) => {
    if (request.headers.authorization === basic) return false;
    sendError(response, 401, "UNAUTHORIZED", { "www-authenticate": 'Basic realm="r"' });
    return true;
  };
  await using client = await testClient({ insecureRegistries: [server.registry] });
  const auth = { username: "user", password: "pass" };
  await client.resolve(at(server, "app"), { auth, signal: forever() });
  const manifests = server.requests.filter(({ url }) => url.includes("/manifests/"));
  assert.deepEqual(
    manifests.map(({ headers }) => headers.authorization),
    [undefined, basic],
  );
  await assert.rejects(client.resolve(at(server, "app"), { signal: forever() }), { kind: "unauthenticated" });
  await assert.rejects(client.resolve(at(server, "app"), { auth: { ...auth, password: "wrong" }, signal: forever() }), {
    kind: "unauthenticated",
  });
});

test("a registry that hides repositories from strangers is asked for its challenge", async () => {
  await using server = await FakeRegistryServer.start();
  server.addImage("app", { tag: "latest" });
  const basic = `Basic ${base64("user:pass")}`;
  server.intercept = (request, response) => {
    if (request.headers.authorization === basic) return false;
    if (request.url === "/v2/") sendError(response, 401, "UNAUTHORIZED", { "www-authenticate": "Basic" });
    else sendError(response, 404, "NAME_UNKNOWN");
    return true;
  };
  await using client = await testClient({ insecureRegistries: [server.registry] });
  await client.resolve(at(server, "app"), { auth: { username: "user", password: "pass" }, signal: forever() });
  await assert.rejects(client.resolve(at(server, "app"), { signal: forever() }), { kind: "not-found" });
});

test("a caller that gives up does not end the token request of another", async () => {
  await using server = await FakeRegistryServer.start();
  server.addImage("app", { tag: "latest" });
  const asked = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  requireToken(server, async () => {
    asked.resolve();
    await release.promise;
    return "good";
  });
  await using client = await testClient({ insecureRegistries: [server.registry] });
  const impatient = new AbortController();
  const first = client.resolve(at(server, "app"), { signal: impatient.signal });
  await asked.promise;
  const second = client.resolve(at(server, "app"), { signal: forever() });
  impatient.abort();
  await assert.rejects(first, { kind: "cancelled" });
  release.resolve();
  await second;
  assert.equal(tokenRequests(server).length, 1);
});

test("an answer of the token server that holds no token is the registry's fault", async () => {
  await using server = await FakeRegistryServer.start();
  for (const body of ["not json", "{}", '{"token": "two\\r\\nlines"}']) {
    server.intercept = (request, response) => {
      if (request.url?.startsWith("/token") === true) response.end(body);
      else sendError(response, 401, "UNAUTHORIZED", { "www-authenticate": 'Bearer realm="/token"' });
      return true;
    };
    await using client = await testClient({ insecureRegistries: [server.registry] });
    await assert.rejects(client.resolve(at(server, "app"), { signal: forever() }), {
      kind: "registry-unavailable",
      message: /^RegistryUnavailable: cannot resolve /,
    });
  }
});

test("a host that a redirect led to gets no credentials by a challenge of its own", async () => {
  await using server = await FakeRegistryServer.start();
  await using other = await FakeRegistryServer.start();
  other.intercept = (_, response) => {
    sendError(response, 401, "UNAUTHORIZED", { "www-authenticate": `Bearer realm="http://${other.registry}/token"` });
    return true;
  };
  server.intercept = (_, response) => {
    response.writeHead(307, { location: `http://${other.registry}/elsewhere` }).end();
    return true;
  };
  await using client = await testClient({ insecureRegistries: [server.registry] });
  const auth = { username: "user", password: "pass" };
  await assert.rejects(client.resolve(at(server, "app"), { auth, signal: forever() }), { kind: "unauthenticated" });
  assert.deepEqual(
    other.requests.map(({ url }) => url),
    ["/elsewhere"],
  );
});

test("the connection that brought the challenge is used again", async () => {
  await using server = await FakeRegistryServer.start();
  server.addImage("app", { tag: "latest" });
  requireToken(server, () => "good");
  await using client = await testClient({ insecureRegistries: [server.registry] });
  await client.resolve(at(server, "app"), { signal: forever() });
  // One attempt at TLS, one connection for the challenge, the manifest and the config, and at most one for the token.
  assert.ok(server.connectionCount <= 3, `${server.connectionCount} connections`);
});
