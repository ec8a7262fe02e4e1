import assert from "node:assert/strict";
import { test } from "node:test";
import { DomainError } from "#errors/domain-error.ts";
import { ConnectionFailure } from "./failure.ts";
import { parseRetryAfter, withRetries } from "./retry.ts";

const policy = { attempts: 3, baseDelayMs: 1, maxDelayMs: 2 };
const answer = (facts: Record<string, number>) => new DomainError("registry-unavailable", "no", { facts });

/** How often work that always fails with `error` is tried. */
async function tries(error: Error, signal = new AbortController().signal): Promise<number> {
  let count = 0;
  const work = async () => {
    count += 1;
    throw error;
  };
  await assert.rejects(withRetries(policy, signal, work), error);
  return count;
}

test("what may pass is tried again, what will stay is not", async () => {
  assert.equal(await tries(answer({ status: 503 })), 3);
  assert.equal(await tries(answer({ status: 429, retryAfterMs: 2 })), 3);
  assert.equal(await tries(new ConnectionFailure("reset", { transient: true })), 3);
  assert.equal(await tries(answer({ status: 404 })), 1);
  assert.equal(await tries(new ConnectionFailure("refused", { transient: false })), 1);
  assert.equal(await tries(new Error("a bug")), 1);
});

test("a registry that asks for a longer pause than allowed is not asked again", async () => {
  assert.equal(await tries(answer({ status: 429, retryAfterMs: 3 })), 1);
});

test("an abort ends the pause", async () => {
  const abort = new AbortController();
  const slow = { attempts: 2, baseDelayMs: 1_000_000, maxDelayMs: 1_000_000 };
  const work = async () => {
    setImmediate(() => abort.abort());
    throw answer({ status: 503 });
  };
  await assert.rejects(withRetries(slow, abort.signal, work), { kind: "cancelled" });
});

test("Retry-After is a number of seconds or a date", () => {
  assert.equal(parseRetryAfter("3", 0), 3000);
  assert.equal(parseRetryAfter("Thu, 01 Jan 1970 00:01:00 GMT", 10_000), 50_000);
  assert.equal(parseRetryAfter("Thu, 01 Jan 1970 00:00:01 GMT", 10_000), 0);
  assert.equal(parseRetryAfter("soon", 0), undefined);
  assert.equal(parseRetryAfter(undefined, 0), undefined);
});
