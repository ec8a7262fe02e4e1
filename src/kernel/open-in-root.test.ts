import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { openInRoot, OpenFlag } from "./open-in-root.ts";

describe("a path that is opened as if a directory were the root", () => {
  let root: string;

  before(() => {
    root = mkdtempSync(path.join(tmpdir(), "berth-root-"));
    mkdirSync(path.join(root, "a"));
    writeFileSync(path.join(root, "file"), "inside");
  });
  after(() => rmSync(root, { recursive: true }));

  it("never leads out of it", () => {
    const fd = openInRoot(root, "/a/../../../file", OpenFlag.readOnly);
    try {
      assert.equal(readFileSync(fd, "utf8"), "inside");
    } finally {
      closeSync(fd);
    }
  });

  it("is opened also while files are renamed elsewhere", async () => {
    const program = `
      const { renameSync, writeFileSync } = require("node:fs");
      const [one, other] = process.argv.slice(1);
      writeFileSync(one, "");
      process.stdout.write("begins");
      for (;;) {
        renameSync(one, other);
        renameSync(other, one);
      }`;
    const files = ["one", "other"].map((name) => path.join(root, name));
    const renamer = spawn(process.execPath, ["-e", program, ...files], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      await once(renamer.stdout, "data");
      for (let count = 0; count < 5000; count += 1)
        closeSync(openInRoot(root, "a/../a/../a/../file", OpenFlag.readOnly));
    } finally {
      renamer.kill("SIGKILL");
      await once(renamer, "exit");
    }
  });
});
