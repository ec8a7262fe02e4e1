import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { namespacedAuth } from "./namespaced-auth.ts";

const directory = mkdtempSync(path.join(tmpdir(), "berth-auth-"));
after(() => rmSync(directory, { recursive: true }));
const auth = namespacedAuth(directory);

function leave(namespace: string, name: string): string {
  const file = path.join(directory, `${namespace}-${createHash("sha256").update(name).digest("hex")}.json`);
  writeFileSync(file, `{"for":"${name}"}`);
  return file;
}

test("a file that waits for a namespace and an image serves one pull, and is gone afterwards", async () => {
  const waiting = leave("team", "quay.io/a/b");
  assert.equal(await auth.take("other", "quay.io/a/b:1"), undefined);
  assert.equal(await auth.take("team", "quay.io/a/c:1"), undefined);
  {
    await using taken = await auth.take("team", "quay.io/a/b:1");
    assert.equal(existsSync(waiting), false);
    assert.equal(readFileSync(taken?.file ?? "", "utf8"), '{"for":"quay.io/a/b"}');
    assert.equal(await auth.take("team", "quay.io/a/b:1"), undefined);
  }
  assert.deepEqual(readdirSync(path.join(directory, "in-use")), []);
});

test("a short name is docker.io's", async () => {
  leave("team", "docker.io/library/busybox");
  await using taken = await auth.take("team", "busybox");
  assert.ok(taken !== undefined);
});

test("names that are no names of files take nothing", async () => {
  leave("", "quay.io/a/b");
  for (const namespace of ["", "..", "a/../b"]) assert.equal(await auth.take(namespace, "quay.io/a/b"), undefined);
  assert.equal(await auth.take("team", "Not A Reference"), undefined);
});

test("of two pulls at once one gets the file", async () => {
  leave("team", "quay.io/a/b");
  const both = await Promise.all([auth.take("team", "quay.io/a/b"), auth.take("team", "quay.io/a/b")]);
  assert.equal(both.filter((one) => one !== undefined).length, 1);
});

test("what a crash left in use is swept", async () => {
  leave("team", "quay.io/a/b");
  await auth.take("team", "quay.io/a/b");
  await auth.sweep();
  assert.deepEqual(readdirSync(path.join(directory, "in-use")), []);
});
