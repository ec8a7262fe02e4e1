import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { RecordLog } from "#drivers/records/record-log.ts";
import { mount, unmount } from "#kernel/mount.ts";
import { fillDisk } from "../support/fill-disk.ts";

interface Example {
  id: string;
  text: string;
}

describe("records on a full disk", () => {
  let directory: string;
  let records: string;
  beforeEach(() => {
    directory = mkdtempSync(path.join(os.tmpdir(), "berth-records-"));
    mount("tmpfs", directory, "tmpfs", 0, "size=256k");
    records = path.join(directory, "records");
  });
  afterEach(() => {
    unmount(directory);
    rmSync(directory, { recursive: true });
  });

  async function opened(reservedBytes = 0): Promise<{ log: RecordLog<Example>; texts: string[] }> {
    const log = new RecordLog<Example>(records, () => {}, { slackBytes: 20_000, reservedBytes });
    const found = await log.load();
    assert.deepEqual(found.corrupt, []);
    return { log, texts: found.records.map(({ text }) => text).toSorted() };
  }

  it("fail with the reason, stay as they were, and are written again when there is space", async () => {
    const { log } = await opened();
    await log.put("a", { id: "a", text: "a" });
    const ballast = fillDisk(directory);
    const long = "x".repeat(9_000);
    await assert.rejects(log.put("a", { id: "a", text: long }), {
      kind: "internal",
      message: /cannot write the record of a to .*records-1\.log: ENOSPC/,
    });
    await log.put("b", { id: "b", text: "fits" });
    await assert.rejects(log.put("new", { id: "new", text: long }), /ENOSPC/);
    const sizeBytes = statSync(path.join(records, "records-1.log")).size;
    await log.remove("new");
    assert.equal(statSync(path.join(records, "records-1.log")).size, sizeBytes);
    rmSync(ballast);
    await log.put("c", { id: "c", text: "c" });
    await log.close();
    const next = await opened();
    assert.deepEqual(next.texts, ["a", "c", "fits"]);
    await next.log.close();
  });

  it("have some space kept for them, so that pods can be stopped and removed from it", async () => {
    const { log } = await opened(40_000);
    await log.put("a", { id: "a", text: "a" });
    fillDisk(directory);
    await log.put("a", { id: "a", text: "stopped".padEnd(5_000) });
    await log.put("b", { id: "b", text: "b".padEnd(5_000) });
    await log.remove("a");
    await assert.rejects(log.put("b", { id: "b", text: "b".padEnd(60_000) }), /ENOSPC/);
    await log.close();
    const next = await opened();
    assert.deepEqual(
      next.texts.map((text) => text.trim()),
      ["b"],
    );
    await next.log.close();
  });

  it("keep that space when something does not fit into it", async () => {
    const { log } = await opened(40_000);
    await log.put("a", { id: "a", text: "a" });
    fillDisk(directory);
    await assert.rejects(log.put("b", { id: "b", text: "b".padEnd(60_000) }), /ENOSPC/);
    fillDisk(directory, "more ballast");
    await log.put("a", { id: "a", text: "stopped".padEnd(5_000) });
    await log.close();
  });

  it("are read from it by a start, which writes what comes as soon as there is space", async () => {
    const before = await opened();
    await before.log.put("a", { id: "a", text: "a".repeat(5_000) });
    await before.log.close();
    const ballast = fillDisk(directory);
    const { log, texts } = await opened();
    assert.deepEqual(
      texts.map((text) => text.length),
      [5_000],
    );
    await assert.rejects(log.put("b", { id: "b", text: "b" }), /ENOSPC/);
    rmSync(ballast);
    await log.put("b", { id: "b", text: "b" });
    await log.close();
    const next = await opened();
    assert.equal(next.texts.length, 2);
    await next.log.close();
  });

  it("go on in the file that has become too long when there is no space for another", async () => {
    const { log } = await opened();
    await log.put("kept", { id: "kept", text: "k".repeat(70_000) });
    writeFileSync(path.join(directory, "other"), "o".repeat(60_000));
    let last = "";
    for (let count = 0; count < 80; count += 1) {
      last = `${count}${"x".repeat(1_000)}`;
      await log.put("a", { id: "a", text: last });
    }
    await log.close();
    const next = await opened();
    assert.deepEqual(next.texts.map((text) => text.slice(0, 3)).toSorted(), [last.slice(0, 3), "kkk"].toSorted());
    await next.log.close();
  });
});
