import assert from "node:assert/strict";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { it } from "node:test";
import { holdsFile } from "./holds-file.ts";

it("a process holds the files that it has descriptors of, and none of the same name", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "berth-holds-"));
  const [held, other] = ["a", "b"].map((name) => path.join(folder, name, "file"));
  assert.ok(held !== undefined && other !== undefined);
  for (const file of [held, other]) {
    mkdirSync(path.dirname(file));
    writeFileSync(file, "");
  }
  const pathOnly = 0o10000000;
  const fd = openSync(held, pathOnly);
  try {
    assert.equal(holdsFile(process.pid, held), true);
    assert.equal(holdsFile(process.pid, other), false);
    assert.equal(holdsFile(process.pid, path.join(folder, "none")), false);
    assert.equal(holdsFile(2 ** 22, held), false);
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
  assert.equal(holdsFile(process.pid, held), false);
});
