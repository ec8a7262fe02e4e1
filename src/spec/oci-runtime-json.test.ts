import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeOci, rlimitUnlimited } from "#spec/oci-runtime-json.ts";
import type { OciProcess } from "#spec/oci-runtime.ts";

const bare: OciProcess = { cwd: "/", env: [], args: ["true"], user: { uid: 0, gid: 0 } };

test("an unlimited rlimit is written as the largest unsigned 64-bit number", () => {
  const text = encodeOci({ ...bare, rlimits: [{ type: "RLIMIT_MEMLOCK", soft: 1024, hard: rlimitUnlimited }] });
  assert.match(text, /"soft":1024,"hard":18446744073709551615/);
});

test("a document that was read back from JSON is written the same again", () => {
  const text = encodeOci({ ...bare, rlimits: [{ type: "RLIMIT_CORE", soft: rlimitUnlimited, hard: rlimitUnlimited }] });
  assert.equal(encodeOci(JSON.parse(text) as OciProcess), text);
});
