import assert from "node:assert/strict";
import { closeSync, writeSync } from "node:fs";
import { describe, it } from "node:test";
import { pipe } from "#kernel/pipe.ts";
import { readSyncPipe, type SyncAnswer } from "./sync-pipe.ts";

describe("the answer of a monitor", () => {
  async function answerTo(text: string): Promise<SyncAnswer> {
    const { readFd, writeFd } = pipe();
    writeSync(writeFd, text);
    closeSync(writeFd);
    return readSyncPipe(readFd, 10_000);
  }

  it("is a pid, or the reason why there is none", async () => {
    assert.deepEqual(await answerTo('{"data": 7}\n'), { pid: 7, message: "" });
    assert.deepEqual(await answerTo('{"data": -1, "message": "no"}\n'), { pid: -1, message: "no" });
    assert.deepEqual(await answerTo(""), { pid: -1, message: "" });
  });

  it("fails its container only, when the monitor was killed while it wrote", async () => {
    const { pid, message } = await answerTo('{"data": -1, "message": "runc cre');
    assert.equal(pid, -1);
    assert.match(message, /broke off its answer: .*runc cre$/);
  });
});
