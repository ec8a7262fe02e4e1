import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeStatusMessage, encodeStatusMessage } from "./status-message.ts";
import { formatTimeout, parseTimeoutMs } from "./timeout.ts";

describe("grpc-message", () => {
  it("is percent-encoded where it is not printable ASCII", () => {
    assert.equal(encodeStatusMessage("no container abc"), "no container abc");
    assert.equal(encodeStatusMessage("100% ü\n😀"), "100%25 %C3%BC%0A%F0%9F%98%80");
  });

  it("keeps the spaces at its ends", () => {
    assert.equal(encodeStatusMessage("  a b "), "%20%20a b%20");
    assert.equal(encodeStatusMessage(" "), "%20");
  });

  it("comes back as it was, and as it came when it is encoded wrongly", () => {
    for (const text of ["", "a b", " ü%25\t😀 ", "\u{10ffff}~}|"])
      assert.equal(decodeStatusMessage(encodeStatusMessage(text)), text);
    assert.equal(decodeStatusMessage("%zz"), "%zz");
  });
});

describe("grpc-timeout", () => {
  it("has six units", () => {
    const found = ["1H", "1M", "1S", "1m", "1000u", "1000000n"].map(parseTimeoutMs);
    assert.deepEqual(found, [3_600_000, 60_000, 1000, 1, 1, 1]);
  });

  it("has eight digits at most and nothing else", () => {
    for (const header of ["", "S", "1", "1s", "-1S", "1.5S", "123456789S", " 1S", "1S "])
      assert.throws(() => parseTimeoutMs(header), { kind: "internal" }, header);
  });

  it("is written so that it is never shorter", () => {
    assert.deepEqual([0, 0.2, 1500.5, 1e8].map(formatTimeout), ["1m", "1m", "1501m", "100000S"]);
  });
});
