import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { goRegularExpression } from "./go-regular-expression.ts";

describe("a regular expression written for Go", () => {
  for (const [pattern, fits, fitsNot] of [
    ["^/bin/(sh|bash)$", "/bin/sh", "/bin/zsh"],
    ["(?i)true", "TRUE", "no"],
    ["\\Aabc\\z", "abc", "xabc"],
    ["^[[:digit:]_]+$", "1_2", "a"],
    ["(?P<name>x)y", "xy", "x"],
  ] as const) {
    it(`${pattern} fits ${fits} and not ${fitsNot}`, () => {
      const expression = goRegularExpression(pattern);
      assert.deepEqual([expression.test(fits), expression.test(fitsNot)], [true, false]);
    });
  }

  it("that is none throws", () => {
    assert.throws(() => goRegularExpression("("), SyntaxError);
  });
});
