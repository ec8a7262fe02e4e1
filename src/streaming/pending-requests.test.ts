import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { PendingRequests } from "./pending-requests.ts";

test("a token gives its request once", () => {
  const pending = new PendingRequests<string>(60_000, 10);
  const token = pending.add("exec");
  assert.match(token, /^[\w-]{16}$/);
  assert.equal(pending.peek(token), "exec");
  assert.equal(pending.take(token), "exec");
  assert.equal(pending.take(token), undefined);
  assert.equal(pending.peek("unknown"), undefined);
});

test("requests beyond the limit are refused until some are taken or expire", async () => {
  const pending = new PendingRequests<string>(20, 2);
  const token = pending.add("first");
  pending.add("second");
  assert.throws(() => pending.add("third"), { kind: "resource-exhausted" });
  pending.take(token);
  const third = pending.add("third");
  await delay(30);
  assert.equal(pending.peek(third), undefined);
  assert.equal(pending.size, 0);
});
