import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { createRegistryClient, type RegistryClientOptions } from "#drivers/registry/client.ts";
import { parseReference } from "#drivers/registry/names/reference.ts";
import { silentLogger } from "#observability/logger.ts";
import { buildImage, buildIndex, sha256 } from "../support/image-builder.ts";
import { registryAccount, startRegistry, type TestRegistry } from "../support/registry.ts";
import { findProgram } from "../support/requirements.ts";

// The registry driver against a registry that others wrote.

const skip = findProgram("docker-registry") === undefined && "docker-registry is not installed";
const bytes = randomBytes(3_000_000);
const image = buildImage({
  layers: [
    { entries: [{ path: "etc/name", content: "base" }] },
    { entries: [{ path: "data", content: bytes }], compression: "zstd" },
  ],
  config: { Cmd: ["/bin/sh"], Env: ["A=b"] },
});

let open: TestRegistry;
let guarded: TestRegistry;
before(async () => {
  if (skip !== false) return;
  [open, guarded] = await Promise.all([startRegistry(), startRegistry({ auth: true })]);
  await Promise.all([open.push(image, "team/app", "v1"), guarded.push(image, "team/app", "v1")]);
});
after(async () => {
  await Promise.all([open?.stop(), guarded?.stop()]);
});

const signal = new AbortController().signal;

function client(options: RegistryClientOptions = {}) {
  return createRegistryClient(
    {
      registriesConfFile: "/nonexistent",
      registriesConfDirs: [],
      authFiles: [],
      env: {},
      insecureRegistries: [open.host, guarded.host],
      ...options,
    },
    silentLogger,
  );
}

test("an image of a real registry is resolved and its layers are read, also from the middle", { skip }, async () => {
  await using registries = await client();
  const resolved = await registries.resolve(parseReference(`${open.host}/team/app:v1`), { signal });
  assert.equal(resolved.topDigest, image.manifest.digest);
  assert.deepEqual(Buffer.from(resolved.manifestBytes), image.manifest.bytes);
  assert.deepEqual(resolved.config?.config?.Env, ["A=b"]);
  assert.deepEqual(resolved.config?.rootfs.diff_ids, image.diffIds);
  for (const [position, layer] of resolved.manifest.layers.entries()) {
    const expected = image.layers[position]?.bytes ?? Buffer.alloc(0);
    for (const offset of [0, 10, expected.length]) {
      const stream = await resolved.source.download(layer).open(offset, signal);
      assert.ok(Buffer.concat(await Array.fromAsync(stream)).equals(expected.subarray(offset)));
    }
  }
});

test("images are found by digest, in Docker's format and through an index", { skip }, async () => {
  const layers = [{ entries: [{ path: "f", content: "x" } as const] }];
  const docker = buildImage({ format: "docker", layers, platform: { os: "linux", architecture: "amd64" } });
  const arm = buildImage({ format: "docker", layers, platform: { os: "linux", architecture: "arm", variant: "v7" } });
  const index = buildIndex([arm, docker], "docker");
  await open.push(index, "team/multi", "v1");
  await using registries = await client();
  const reference = parseReference(`${open.host}/team/multi@${index.manifest.digest}`);
  const amd64 = await registries.resolve(reference, { platform: { os: "linux", architecture: "amd64" }, signal });
  assert.deepEqual([amd64.topDigest, amd64.manifestDigest], [index.manifest.digest, docker.manifest.digest]);
  const v7 = await registries.resolve(reference, { platform: { os: "linux", architecture: "arm" }, signal });
  assert.equal(v7.manifestDigest, arm.manifest.digest);
  assert.equal(v7.config?.architecture, "arm");
});

test("what is not there is not-found with the registry's error code", { skip }, async () => {
  await using registries = await client();
  for (const name of ["team/app:v2", "team/none:v1", `team/app@${sha256(Buffer.from("x"))}`])
    await assert.rejects(registries.resolve(parseReference(`${open.host}/${name}`), { signal }), {
      kind: "not-found",
      message: /404 Not Found \((MANIFEST|NAME)_UNKNOWN: /,
    });
});

test("a registry that wants a password gets it from the request or from a file", { skip }, async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "berth-registry-auth-"));
  const authFile = path.join(folder, "auth.json");
  const auth = Buffer.from(`${registryAccount.username}:${registryAccount.password}`).toString("base64");
  await writeFile(authFile, JSON.stringify({ auths: { [`${guarded.host}/team`]: { auth } } }));
  await using registries = await client({ authFiles: [authFile] });
  await using strangers = await client();
  const reference = parseReference(`${guarded.host}/team/app:v1`);
  const expected = image.manifest.digest;
  assert.equal((await registries.resolve(reference, { signal })).topDigest, expected);
  assert.equal((await strangers.resolve(reference, { auth: registryAccount, signal })).topDigest, expected);
  assert.equal((await strangers.resolve(reference, { authFile, signal })).topDigest, expected);
  for (const wrong of [{}, { ...registryAccount, password: "wrong" }])
    await assert.rejects(strangers.resolve(reference, { auth: wrong, signal }), {
      kind: "unauthenticated",
      message: new RegExp(`^cannot resolve ${guarded.host}/team/app:v1: .*401 Unauthorized \\(UNAUTHORIZED: `),
    });
  await rm(folder, { recursive: true });
});

test("a mirror that lacks the image gives way to the registry", { skip }, async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "berth-registry-mirror-"));
  const conf = path.join(folder, "registries.conf");
  const table = (mirror: string) =>
    `[[registry]]\nlocation = "${open.host}"\ninsecure = true\n[[registry.mirror]]\nlocation = "${mirror}"\ninsecure = true\n`;
  await writeFile(conf, table(`${open.host}/empty`));
  await using registries = await client({ registriesConfFile: conf, insecureRegistries: [] });
  const reference = parseReference(`${open.host}/team/app:v1`);
  assert.equal((await registries.resolve(reference, { signal })).topDigest, image.manifest.digest);
  await writeFile(conf, table(open.host).replace("insecure = true", "blocked = true"));
  await registries.reload();
  await assert.rejects(registries.resolve(reference, { signal }), {
    kind: "permission-denied",
    message: /is blocked in/,
  });
  await rm(folder, { recursive: true });
});
