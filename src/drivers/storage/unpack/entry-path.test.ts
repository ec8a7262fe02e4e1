import assert from "node:assert/strict";
import { it } from "node:test";
import { entryPath, markOf, systemPath } from "./entry-path.ts";

it("names become paths below the root, whatever they try", () => {
  const cases = {
    "a/b": "a/b",
    "./a/b/": "a/b",
    "/a//b": "a/b",
    "a/../b": "b",
    "../../a": "a",
    "a/..": "",
    "./": "",
    ".": "",
    "": "",
    "a/./b": "a/b",
    "..a/b..": "..a/b..",
    ".hidden/...": ".hidden/...",
  };
  for (const [name, path] of Object.entries(cases)) assert.equal(entryPath(name), path, name);
});

it("whiteouts, opaque marks and AUFS bookkeeping are told apart by the last part of the path", () => {
  assert.deepEqual(markOf("a/b"), { kind: "none" });
  assert.deepEqual(markOf(".wh.dir/b"), { kind: "none" });
  assert.deepEqual(markOf(".wh.b"), { kind: "whiteout", path: "b" });
  assert.deepEqual(markOf("a/.wh.b"), { kind: "whiteout", path: "a/b" });
  assert.deepEqual(markOf("a/.wh..wh..opq"), { kind: "opaque", path: "a" });
  assert.deepEqual(markOf(".wh..wh..opq"), { kind: "opaque", path: "" });
  assert.deepEqual(markOf("a/.wh..wh.plnk"), { kind: "ignored" });
  for (const path of [".wh.", "a/.wh..", "a/.wh..."]) assert.throws(() => markOf(path), { kind: "invalid-argument" });
});

it("byte strings that are not ASCII go to the kernel as their bytes", () => {
  assert.equal(systemPath("plain"), "plain");
  assert.deepEqual(systemPath("\u00c3\u00a9"), Buffer.from("é"));
});
