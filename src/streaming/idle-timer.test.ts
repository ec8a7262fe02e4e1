import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { IdleTimer } from "./idle-timer.ts";

it("a time longer than timers of Node have does not make a session idle at once", async () => {
  let isIdle = false;
  const monthMs = 30 * 24 * 3_600_000;
  const timer = new IdleTimer(monthMs, () => (isIdle = true));
  await delay(20);
  timer.stop();
  assert.equal(isIdle, false);
});
