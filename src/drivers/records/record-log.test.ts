import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { AppendFile } from "#kernel/append-file.ts";
import { RecordLog } from "./record-log.ts";

interface Example {
  id: string;
  text: string;
}

const checkExample = (value: unknown): void => assert.equal(typeof (value as Example).text, "string");

describe("a log of records", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), "berth-records-"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const open = (slackBytes?: number): RecordLog<Example> =>
    new RecordLog<Example>(directory, checkExample, slackBytes === undefined ? {} : { slackBytes });
  const logs = (): string[] => readdirSync(directory).filter((name) => name.startsWith("records-"));
  const newest = (): string => path.join(directory, logs().toSorted().at(-1) ?? "");

  /** What the next daemon finds. */
  async function found(): Promise<{ texts: string[]; corrupt: string[] }> {
    const next = open();
    const { records, corrupt } = await next.load();
    await next.close();
    return {
      texts: records.map(({ text }) => text).toSorted(),
      corrupt: corrupt.map(({ setAsideAt }) => path.basename(setAsideAt)),
    };
  }

  async function writeExamples(...texts: string[]): Promise<RecordLog<Example>> {
    const log = open();
    await log.load();
    await Promise.all(texts.map((text) => log.put(text, { id: text, text })));
    return log;
  }

  it("has each record as it was put last, and none that was removed", async () => {
    const log = await writeExamples("a", "b", "c");
    await log.put("b", { id: "b", text: "b again" });
    await Promise.all([log.remove("a"), log.remove("never-there")]);
    assert.deepEqual(await found(), { texts: ["b again", "c"], corrupt: [] });
    await log.close();
  });

  it("does what it is asked for in that order, also when nobody waits between", async () => {
    const log = await writeExamples("a");
    const asked = [
      log.put("a", { id: "a", text: "second" }),
      log.remove("a"),
      log.put("a", { id: "a", text: "third" }),
    ];
    await Promise.all(asked);
    assert.deepEqual(await found(), { texts: ["third"], corrupt: [] });
    await log.close();
  });

  it("begins each start with one file of what is there", async () => {
    const log = await writeExamples("a", "b");
    await log.remove("a");
    await log.close();
    await found();
    assert.equal(logs().length, 1);
    assert.match(readFileSync(newest(), "utf8"), /^b \{.*\}\n$/);
  });

  it("knows nothing of a line that was not written to its end", async () => {
    const log = await writeExamples("a", "bb");
    await log.close();
    truncateSync(newest(), readFileSync(newest()).length - 3);
    assert.deepEqual(await found(), { texts: ["a"], corrupt: [] });
    assert.deepEqual(await found(), { texts: ["a"], corrupt: [] });
  });

  it("finds all records when the one before it died before it had removed what the new file replaces", async () => {
    const log = await writeExamples("a", "b");
    await log.remove("b");
    await log.close();
    const before = readFileSync(newest());
    const next = await writeExamples("c");
    await next.remove("a");
    await next.close();
    appendFileSync(path.join(directory, "records-1.log"), before);
    assert.deepEqual(await found(), { texts: ["c"], corrupt: [] });
    assert.equal(logs().length, 1);
  });

  it("sets aside what it cannot read, once, and serves the others", async () => {
    const log = await writeExamples("a", "b", "c");
    await log.close();
    appendFileSync(newest(), 'b {"id": \nc {"id":"c","text":5}\n\0\0\0\0\nd {"id":"d","text":"d"}\n');
    const { texts, corrupt } = await found();
    assert.deepEqual(texts, ["a", "d"]);
    assert.deepEqual(corrupt.toSorted().slice(0, 2), ["b.json", "c.json"]);
    assert.match(corrupt.toSorted()[2] ?? "", /^unreadable-records-\d+\.log-\d+\.json$/);
    assert.equal(readFileSync(path.join(directory, "corrupt", "b.json"), "utf8"), '{"id": ');
    assert.deepEqual(await found(), { texts: ["a", "d"], corrupt: [] });
  });

  it("is written anew when most of it is superseded, and loses nothing of what is put meanwhile", async () => {
    const log = open(1000);
    await log.load();
    await log.put("kept", { id: "kept", text: "kept" });
    const first = newest();
    for (let count = 0; count < 100; count += 1) {
      await Promise.all(["x", "y"].map((id) => log.put(id, { id, text: `${id}${count}` })));
    }
    await log.remove("x");
    await log.close();
    assert.notEqual(newest(), first);
    assert.equal(logs().length, 1);
    assert.ok(readFileSync(newest()).length < 2000);
    assert.deepEqual(await found(), { texts: ["kept", "y99"], corrupt: [] });
  });

  it("has what was asked for before its end, also when nobody has waited for it", async () => {
    await (await writeExamples("a")).close();
    const log = await writeExamples();
    // Until then its end would wait for the earlier file to be gone.
    while (logs().length > 1) await new Promise((resolve) => setImmediate(resolve));
    const asked = ["b", "c"].map((id) => log.put(id, { id, text: id }));
    await Promise.all([log.close(), ...asked]);
    assert.deepEqual(await found(), { texts: ["a", "b", "c"], corrupt: [] });
  });

  it("serves the others also when what cannot be read cannot be set aside", async () => {
    const log = await writeExamples("a");
    await log.close();
    appendFileSync(newest(), 'b {"id": \n');
    writeFileSync(path.join(directory, "corrupt"), "in the way");
    assert.deepEqual((await found()).texts, ["a"]);
    rmSync(path.join(directory, "corrupt"));
    assert.deepEqual(await found(), { texts: ["a"], corrupt: ["b.json"] });
    assert.deepEqual(await found(), { texts: ["a"], corrupt: [] });
  });

  it("finds what was put last also when it could neither be written anew nor the attempt be removed", async (context) => {
    const log = open(100);
    await log.load();
    const put = (text: string): Promise<void> => log.put("a", { id: "a", text: `${text} ${"-".repeat(80)}` });
    await put("first");
    const fails = () => Promise.reject(new Error("i/o error"));
    const reserve = context.mock.method(AppendFile.prototype, "reserve", fails);
    const remove = context.mock.method(fs, "rm", fails);
    syncBuiltinESMExports();
    try {
      for (const text of ["second", "third", "fourth", "fifth", "sixth"]) await put(text);
      assert.ok(remove.mock.callCount() > 1);
      await put("last");
    } finally {
      reserve.mock.restore();
      remove.mock.restore();
      syncBuiltinESMExports();
    }
    await log.close();
    assert.match((await found()).texts.join(), /^last /);
    assert.deepEqual(readdirSync(directory), logs());
    assert.equal(logs().length, 1);
  });

  it("is written anew once that is possible again", async (context) => {
    const log = open(100);
    await log.load();
    const put = (text: string): Promise<void> => log.put("a", { id: "a", text: `${text} ${"-".repeat(80)}` });
    const reserve = context.mock.method(AppendFile.prototype, "reserve", () => Promise.reject(new Error("i/o error")));
    for (const text of ["first", "second", "third", "fourth"]) await put(text);
    const failing = newest();
    reserve.mock.restore();
    for (const text of ["fifth", "sixth", "seventh", "last"]) await put(text);
    await log.close();
    assert.notEqual(newest(), failing);
    assert.match((await found()).texts.join(), /^last /);
  });

  it("refuses what comes after its end, and ids that would break its lines", async () => {
    const log = await writeExamples("a");
    await assert.rejects(log.put("two\nlines", { id: "", text: "" }), /is no id of a record/);
    await log.close();
    await assert.rejects(log.put("a", { id: "a", text: "late" }), /cannot write the record of a to .*: it is closed/);
    assert.deepEqual(await found(), { texts: ["a"], corrupt: [] });
  });
});
