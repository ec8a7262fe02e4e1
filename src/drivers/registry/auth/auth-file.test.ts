import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Credentials, credentialsFrom, defaultAuthFiles, findCredentials, isAddressedTo } from "./auth-file.ts";
import { parseReference } from "../names/reference.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");

async function find(files: (object | string)[], name: string): Promise<Credentials> {
  const directory = await mkdtemp(join(tmpdir(), "berth-auth-"));
  try {
    const paths = files.map((_, index) => join(directory, `${index}.json`));
    for (const [index, path] of paths.entries()) {
      const content = files[index];
      await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
    }
    return await findCredentials([join(directory, "missing.json"), ...paths], parseReference(name));
  } finally {
    await rm(directory, { recursive: true });
  }
}

const password = (username: string, password: string) => ({ kind: "password", username, password });

test("the most specific key of a file wins, and keys match whole path components", async () => {
  const file = {
    auths: {
      "quay.io": { auth: base64("host:h") },
      "quay.io/team": { auth: base64("team:t") },
      "quay.io/team/app": { auth: base64("app:a:with:colons") },
    },
  };
  assert.deepEqual(await find([file], "quay.io/team/app:v1"), password("app", "a:with:colons"));
  assert.deepEqual(await find([file], "quay.io/team/other"), password("team", "t"));
  assert.deepEqual(await find([file], "quay.io/teammate/app"), password("host", "h"));
  assert.deepEqual(await find([file], "quay.io:5000/team/app"), { kind: "anonymous" });
});

test("docker's keys are understood, docker.io under all its names", async () => {
  const hub = { auths: { "https://index.docker.io/v1/": { auth: base64("hub:h\0\0") } } };
  assert.deepEqual(await find([hub], "busybox"), password("hub", "h"));
  const url = { auths: { "https://quay.io/v2/": { username: "u", password: "p" } } };
  assert.deepEqual(await find([url], "quay.io/app"), password("u", "p"));
});

test("the first file with credentials for the reference wins", async () => {
  const first = { auths: { "quay.io": {}, "other.io": { auth: base64("o:o") } } };
  const second = {
    auths: { "quay.io": { auth: base64("00000000-0000-0000-0000-000000000000:"), identitytoken: "idt" } },
  };
  assert.deepEqual(await find([first, "", second], "quay.io/app"), { kind: "identity-token", token: "idt" });
});

test("a broken file is refused by name, without quoting it", async () => {
  await assert.rejects(find(['{"auths": {"quay.io": {"auth": "c2VjcmV0"'], "quay.io/app"), (error) => {
    assert.ok(error instanceof Error && "kind" in error && error.kind === "failed-precondition");
    assert.match(error.message, /0\.json: it is not JSON/);
    assert.ok(!JSON.stringify([error.message, String(error.cause)]).includes("c2Vj"));
    return true;
  });
  await assert.rejects(find([{ auths: { "quay.io": { auth: base64("nocolon") } } }], "quay.io/app"), /entry quay.io/);
});

test("of the forms of a request one is used", () => {
  assert.deepEqual(credentialsFrom({ username: "u", password: "p", identityToken: "i" }, "x"), password("u", "p"));
  assert.deepEqual(credentialsFrom({ username: "u", identityToken: "i" }, "x"), { kind: "identity-token", token: "i" });
  assert.deepEqual(credentialsFrom({ auth: base64("u:p") }, "x"), password("u", "p"));
  assert.deepEqual(credentialsFrom({ registryToken: "r" }, "x"), { kind: "registry-token", token: "r" });
  assert.deepEqual(credentialsFrom({ username: "", auth: "" }, "x"), { kind: "anonymous" });
});

test("a server address is compared by host", () => {
  assert.ok(isAddressedTo(undefined, "quay.io"));
  assert.ok(isAddressedTo("", "quay.io"));
  assert.ok(isAddressedTo("https://index.docker.io/v1/", "docker.io"));
  assert.ok(isAddressedTo("quay.io", "quay.io"));
  assert.ok(isAddressedTo("http://127.0.0.1:5000", "127.0.0.1:5000"));
  assert.ok(!isAddressedTo("quay.io", "quay.io:5000"));
});

test("the default files follow the environment", () => {
  assert.deepEqual(defaultAuthFiles("/g.json", { HOME: "/h", REGISTRY_AUTH_FILE: "/r.json" }), [
    "/g.json",
    "/r.json",
    "/run/containers/0/auth.json",
    "/h/.config/containers/auth.json",
    "/h/.docker/config.json",
  ]);
});
