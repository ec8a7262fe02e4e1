import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDuration, parseDuration, parseSize } from "./value-formats.ts";

describe("durations", () => {
  const written: [string, number | undefined][] = [
    ["0", 0],
    ["0s", 0],
    ["250ms", 250],
    ["1.5s", 1500],
    ["1h30m", 5_400_000],
    ["-1s", -1000],
    ["10us", 0.01],
    ["5", undefined],
    ["1 s", undefined],
    ["", undefined],
    ["s", undefined],
  ];
  for (const [text, expected] of written) {
    it(`reads ${JSON.stringify(text)} as ${expected} ms`, () => assert.equal(parseDuration(text), expected));
  }

  it("writes what it reads", () => {
    for (const milliseconds of [0, 1, 999, 1000, 1500, 60_000, 5_405_000, 14_400_000]) {
      assert.equal(parseDuration(formatDuration(milliseconds)), milliseconds);
    }
    assert.equal(formatDuration(14_400_000), "4h");
  });
});

describe("sizes", () => {
  const written: [string, number | undefined][] = [
    ["12MiB", 12 * 1024 ** 2],
    ["500 KiB", 500 * 1024],
    ["1g", 1024 ** 3],
    ["1.5k", 1536],
    ["42", 42],
    ["42b", 42],
    ["-1", undefined],
    ["1x", undefined],
    ["", undefined],
  ];
  for (const [text, expected] of written) {
    it(`reads ${JSON.stringify(text)} as ${expected} bytes`, () => assert.equal(parseSize(text), expected));
  }
});
