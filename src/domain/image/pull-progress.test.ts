import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, it } from "node:test";
import { PullProgressBoard } from "./pull-progress.ts";

function layer(doneBytes: number) {
  return { digest: "sha256:a", doneBytes, totalBytes: 3, state: "fetching" } as const;
}

function listeners(signal: AbortSignal): number {
  return getEventListeners(signal, "abort").length;
}

describe("whoever watches a pull", () => {
  it("has at most one listener on its signal, however long that takes, and none at the end", async () => {
    const board = new PullProgressBoard();
    const { signal } = new AbortController();
    const reports = board.watch("busybox", signal)[Symbol.asyncIterator]();
    const first = reports.next();
    const progress = board.begin("busybox");
    await first;
    for (const doneBytes of [1, 2, 3]) {
      const next = reports.next();
      progress.set(layer(doneBytes));
      assert.deepEqual((await next).value, [layer(doneBytes)]);
      assert.ok(listeners(signal) <= 1, `${listeners(signal)} listeners`);
    }
    const last = reports.next();
    board.end("busybox", progress);
    await last;
    assert.equal((await reports.next()).done, true);
    assert.equal(listeners(signal), 0);
  });

  it("is let go by its signal, before the pull and during it", async () => {
    const board = new PullProgressBoard();
    for (const begin of [() => undefined, () => board.begin("busybox")]) {
      const watching = new AbortController();
      const reports = board.watch("busybox", watching.signal)[Symbol.asyncIterator]();
      if (begin() !== undefined) await reports.next();
      const next = reports.next();
      watching.abort();
      assert.equal((await next).done, true);
      assert.equal((await board.watch("other", watching.signal)[Symbol.asyncIterator]().next()).done, true);
    }
  });
});
