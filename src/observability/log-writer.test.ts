import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { createLogWriter } from "./log-writer.ts";

let directory: string;

before(() => {
  directory = mkdtempSync(path.join(tmpdir(), "berth-log-"));
});
after(() => rmSync(directory, { recursive: true }));

describe("the log writer", () => {
  it("writes lines in order in the background", async () => {
    const file = path.join(directory, "a.log");
    const fd = openSync(file, "a");
    const writer = createLogWriter(fd);
    const lines = Array.from({ length: 500 }, (_, index) => `line ${index}\n`);
    for (const line of lines) writer.write(line);
    while (readFileSync(file, "utf8").length < lines.join("").length) await setImmediate();
    assert.equal(readFileSync(file, "utf8"), lines.join(""));
    closeSync(fd);
  });

  it("writes what is queued when the process is about to end", () => {
    const file = path.join(directory, "b.log");
    const fd = openSync(file, "a");
    const writer = createLogWriter(fd);
    writer.write("last words\n");
    writer.flushSync();
    assert.equal(readFileSync(file, "utf8"), "last words\n");
    closeSync(fd);
  });

  it("drops lines and says how many when nothing is read", () => {
    const file = path.join(directory, "c.log");
    const fd = openSync(file, "a");
    const writer = createLogWriter(fd);
    const megabyte = `${"x".repeat(1024 * 1024)}\n`;
    for (let count = 0; count < 8; count++) writer.write(megabyte);
    writer.flushSync();
    const content = readFileSync(file, "utf8");
    assert.match(content.slice(-200), /\d log lines were dropped/);
    assert.ok(content.length < 7 * 1024 * 1024);
    closeSync(fd);
  });
});
