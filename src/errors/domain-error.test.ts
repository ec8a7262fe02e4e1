import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DomainError, kindOf, messageOf } from "./domain-error.ts";

const internal = new DomainError("internal", "the mount failed");
const badLabel = new DomainError("invalid-argument", "no such label");

describe("the kind of an error", () => {
  it("is that of the first of several failures that says more than internal", () => {
    const both = new AggregateError([internal, badLabel]);
    assert.equal(kindOf(both), "invalid-argument");
    assert.equal(messageOf(both), "the mount failed; no such label");
    assert.equal(kindOf(new AggregateError([internal, new Error("a bug")])), "internal");
  });

  it("is that of the failure, not of what failed while it was undone", () => {
    assert.equal(kindOf(new SuppressedError(internal, new AggregateError([badLabel]), "")), "invalid-argument");
  });

  it("is internal for all that nobody has translated", () => {
    assert.deepEqual([new Error("x"), "x", undefined].map(kindOf), ["internal", "internal", "internal"]);
  });
});
