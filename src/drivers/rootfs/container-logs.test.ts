import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { containerLogs } from "./container-logs.ts";

describe("the log of a container", () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(path.join(tmpdir(), "berth-logs-"));
  });
  after(() => rmSync(directory, { recursive: true }));

  it("is made with the directories above it, and keeps what is in it", async () => {
    const log = path.join(directory, "pod", "main", "0.log");
    await containerLogs.create(log);
    assert.equal(lstatSync(log).mode & 0o777, 0o640);
    writeFileSync(log, "a line\n");
    await containerLogs.create(log);
    assert.equal(readFileSync(log, "utf8"), "a line\n");
  });

  it("takes the place of a link, and nothing is made where that points", async () => {
    const [log, elsewhere] = [path.join(directory, "linked.log"), path.join(directory, "elsewhere")];
    symlinkSync(elsewhere, log);
    await containerLogs.create(log);
    assert.ok(lstatSync(log).isFile());
    assert.throws(() => lstatSync(elsewhere), { code: "ENOENT" });
  });

  it("cannot be a directory, a fifo without a reader, or below a file", async () => {
    const [folder, fifo, file] = ["folder", "fifo", "file"].map((name) => path.join(directory, name)) as [
      string,
      string,
      string,
    ];
    mkdirSync(folder);
    execFileSync("mkfifo", [fifo]);
    writeFileSync(file, "");
    for (const log of [folder, fifo, path.join(file, "0.log")]) {
      await assert.rejects(containerLogs.create(log), {
        kind: "invalid-argument",
        message: new RegExp(`cannot make the container log ${log}: `),
      });
    }
  });
});
