import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DomainError } from "#errors/domain-error.ts";
import { statusOf } from "./status.ts";

describe("the status of what is thrown", () => {
  it("has the code of the error's kind and the error's own words", () => {
    assert.deepEqual(statusOf(new DomainError("not-found", "no container abc")), {
      codeName: "NOT_FOUND",
      details: "no container abc",
    });
    assert.equal(statusOf(new DomainError("deadline-exceeded", "x")).codeName, "DEADLINE_EXCEEDED");
  });

  it("is INTERNAL for anything that the domain did not name", () => {
    assert.deepEqual(statusOf(new TypeError("x is undefined")), {
      codeName: "INTERNAL",
      details: "x is undefined",
    });
    assert.equal(statusOf("thrown text").details, "thrown text");
  });

  it("starts with the kubelet's word, code UNKNOWN, and says the word once", () => {
    for (const [kind, word] of [
      ["registry-unavailable", "RegistryUnavailable"],
      ["signature-validation-failed", "SignatureValidationFailed"],
      ["image-volume-mount-failed", "ImageVolumeMountFailed"],
    ] as const) {
      const expected = { codeName: "UNKNOWN", details: `${word}: pull of x` };
      assert.deepEqual(statusOf(new DomainError(kind, "pull of x")), expected);
      assert.deepEqual(statusOf(new DomainError(kind, `${word}: pull of x`)), expected);
    }
  });

  it("takes the kind of the first error when undoing failed too", () => {
    const first = new DomainError("unavailable", "no network");
    const both = new SuppressedError(new Error("cannot unmount"), first);
    const found = statusOf(both);
    assert.equal(found.codeName, "UNAVAILABLE");
    assert.match(found.details, /no network.*cannot unmount/);
  });

  it("is short enough and well-formed for a trailer", () => {
    const { details } = statusOf(new DomainError("internal", `\uD800${"😀".repeat(10_000)}`));
    assert.ok(details.length < 5000);
    assert.ok(details.isWellFormed());
  });
});
