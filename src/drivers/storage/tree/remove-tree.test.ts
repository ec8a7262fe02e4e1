import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it, type TestContext } from "node:test";
import { removeTree } from "./remove-tree.ts";

function folderOf(test: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), "berth-remove-"));
  test.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

describe("removing a tree", () => {
  it("leaves nothing of it, and nothing beside it", (test) => {
    const folder = folderOf(test);
    mkdirSync(path.join(folder, "tree/a/b/c"), { recursive: true });
    writeFileSync(path.join(folder, "tree/a/b/file"), "");
    removeTree(path.join(folder, "tree"));
    removeTree(path.join(folder, "tree"));
    assert.deepEqual(readdirSync(folder), []);
  });

  it("is not in the way of what a removal that was cut short has left beside it", (test) => {
    const folder = folderOf(test);
    for (const place of ["tree/a/file", "tree.1/file", "tree.2/file"]) {
      mkdirSync(path.dirname(path.join(folder, place)), { recursive: true });
      writeFileSync(path.join(folder, place), "");
    }
    removeTree(path.join(folder, "tree"));
    assert.deepEqual(readdirSync(folder).sort(), ["tree.1", "tree.2"]);
  });
});
