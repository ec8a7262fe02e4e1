import assert from "node:assert/strict";
import { test } from "node:test";
import { freeBytes } from "./free-bytes.ts";

test("bytes that are all of their memory are gone, others stay", () => {
  const whole = new Uint8Array(100_000);
  freeBytes(whole);
  assert.equal(whole.length, 0);
  const memory = new Uint8Array(100_000).fill(1);
  freeBytes(memory.subarray(0, 99_999));
  assert.equal(memory[99_999], 1);
  const shared = new Uint8Array(new SharedArrayBuffer(10));
  freeBytes(shared);
  assert.equal(shared.length, 10);
});
