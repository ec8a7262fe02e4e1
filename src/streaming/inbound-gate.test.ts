import assert from "node:assert/strict";
import { test } from "node:test";
import { InboundGate } from "./inbound-gate.ts";

test("reading stops with the first that is full and goes on with the last that is not", () => {
  const calls: string[] = [];
  const gate = new InboundGate(
    () => calls.push("pause"),
    () => calls.push("resume"),
  );
  const [one, other] = [{}, {}];
  gate.close(one);
  gate.close(one);
  gate.close(other);
  gate.open(one);
  assert.deepEqual(calls, ["pause"]);
  gate.open(other);
  gate.open(other);
  assert.deepEqual(calls, ["pause", "resume"]);
  gate.close(one);
  gate.openForGood();
  gate.close(other);
  assert.deepEqual(calls, ["pause", "resume", "pause", "resume"]);
});
