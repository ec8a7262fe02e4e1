import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { followRecords, lastRecords, parseRecord, readRecords, type LogRecord } from "./log-file.ts";

const time = "2024-05-06T07:08:09.000000001+00:00";

describe("a log in the CRI's format", () => {
  let folder = "";
  let file = "";
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "berth-log-"));
    file = path.join(folder, "0.log");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const add = (text: string, stream = "stdout", tag = "F"): void =>
    appendFileSync(file, `${time} ${stream} ${tag} ${text}\n`);

  it("is read record by record, blanks in the text kept", () => {
    assert.deepEqual(parseRecord(`${time} stderr F  two  blanks `), {
      time,
      stream: "stderr",
      text: " two  blanks \n",
    });
    assert.deepEqual(parseRecord(`${time} stdout P half`), { time, stream: "stdout", text: "half" });
    assert.deepEqual(parseRecord(`${time} stdout F `), { time, stream: "stdout", text: "\n" });
    assert.equal(parseRecord("something else"), undefined);
  });

  it("gives its last lines, a line in several records counted once", async () => {
    add("one");
    add("tw", "stdout", "P");
    add("o");
    add("three");
    assert.equal(textOf(await lastRecords(file, 2)), "two\nthree\n");
    assert.equal(textOf(await lastRecords(file, 9)), "one\ntwo\nthree\n");
    assert.equal(textOf(await lastRecords(file, 0)), "");
  });

  it("is followed from before the file is there, over a rotation, to the end of the container", async () => {
    const ended = Promise.withResolvers<void>();
    const seen: string[] = [];
    for await (const { text } of followRecordsAfter(() => add("first"), file, ended.promise)) {
      seen.push(text);
      if (text === "first\n") {
        add("second");
      } else if (text === "second\n") {
        renameSync(file, `${file}.1`);
        writeFileSync(file, "");
        add("third");
      } else if (text === "third\n") {
        add("fourth, with a € sign");
        ended.resolve();
      }
    }
    assert.deepEqual(seen, ["first\n", "second\n", "third\n", "fourth, with a € sign\n"]);
  });

  it("is followed from its last lines when asked", async () => {
    const ended = Promise.withResolvers<void>();
    add("older");
    add("old");
    const records = followRecords(file, ended.promise, { tail: 1 });
    assert.equal((await records.next()).value?.text, "old\n");
    add("new");
    assert.equal((await records.next()).value?.text, "new\n");
    ended.resolve();
    assert.equal((await records.next()).done, true);
  });

  it("fails when there is no file to read", async () => {
    await assert.rejects(readRecords(path.join(folder, "none")).next(), { code: "ENOENT" });
  });
});

/** Starts following and only then lets the first line be written. */
function followRecordsAfter(write: () => void, file: string, ended: Promise<void>): AsyncGenerator<LogRecord> {
  const records = followRecords(file, ended);
  setImmediate(write);
  return records;
}

function textOf(records: readonly LogRecord[]): string {
  return records.map(({ text }) => text).join("");
}
