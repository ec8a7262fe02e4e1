import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { startedInTime } from "./started-in-time.ts";

const never = new Promise<never>(() => {});
const graceMs = 10;

describe("a daemon that is told to end while it starts", () => {
  it("is not waited for longer than a stop may take", { timeout: 5000 }, async () => {
    assert.equal(await startedInTime(never, Promise.resolve("SIGTERM"), graceMs), undefined);
  });

  it("ends in good order when it has started by then", async () => {
    assert.equal(await startedInTime(Promise.resolve("daemon"), Promise.resolve("SIGTERM"), graceMs), "daemon");
  });

  it("takes as long as it needs while nobody wants it to end", async () => {
    assert.equal(await startedInTime(Promise.resolve("daemon"), never, graceMs), "daemon");
  });
});
