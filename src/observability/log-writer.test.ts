import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { createLogWriter } from "./log-writer.ts";

let directory: string;
let file: string;
let fd: number;

before(() => {
  directory = mkdtempSync(path.join(tmpdir(), "berth-log-"));
});
after(() => rmSync(directory, { recursive: true }));

describe("the log writer", () => {
  let count = 0;
  beforeEach(() => {
    file = path.join(directory, `${(count += 1)}.log`);
    fd = openSync(file, "a");
  });

  it("writes lines in order in the background, and says when it is done", async () => {
    const writer = createLogWriter(fd);
    const lines = Array.from({ length: 500 }, (_, index) => `line ${index}\n`);
    for (const line of lines) writer.write(line);
    assert.equal(readFileSync(file, "utf8"), "");
    await writer.flushed();
    assert.equal(readFileSync(file, "utf8"), lines.join(""));
    writer.write("more\n");
    await writer.flushed();
    assert.match(readFileSync(file, "utf8"), /more\n$/);
    closeSync(fd);
  });

  it("drops lines and says how many when they are not read", async () => {
    const writer = createLogWriter(fd);
    const megabyte = `${"x".repeat(1024 * 1024)}\n`;
    for (let lines = 0; lines < 8; lines++) writer.write(megabyte);
    await writer.flushed();
    const content = readFileSync(file, "utf8");
    assert.match(content.slice(-200), /\d log lines were dropped/);
    assert.ok(content.length < 7 * 1024 * 1024);
    closeSync(fd);
  });

  it("goes on when the log cannot be written", async () => {
    closeSync(fd);
    const readOnly = openSync(file, "r");
    const writer = createLogWriter(readOnly);
    writer.write("lost\n");
    await writer.flushed();
    assert.equal(readFileSync(file, "utf8"), "");
    closeSync(readOnly);
  });
});
