import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { StallTimer } from "./stall-timer.ts";

it("a time longer than timers of Node have does not make a pull stall at once", async () => {
  const monthMs = 30 * 24 * 3_600_000;
  using stall = new StallTimer(monthMs, "nothing happened");
  await delay(20);
  assert.equal(stall.signal.aborted, false);
});
