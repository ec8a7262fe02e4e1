import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { completeTypes, DbusReader, DbusWriter } from "./values.ts";
import type { DbusValue } from "./values.ts";

function written(signature: string, ...values: DbusValue[]): Buffer {
  const writer = new DbusWriter();
  writer.values(signature, values);
  return Buffer.from(writer.bytes());
}

describe("D-Bus values", () => {
  it("are written as the specification's examples have them", () => {
    // Array of two bytes after a uint32 length; a string with its length and final zero; a struct at a multiple of eight.
    assert.equal(written("ay", [1, 2]).toString("hex"), "020000000102");
    assert.equal(written("s", "foo").toString("hex"), "03000000666f6f00");
    assert.equal(written("y(u)", 1, [2]).toString("hex"), "010000000000000002000000");
    assert.equal(written("v", { signature: "u", value: 7 }).toString("hex"), "0175000007000000");
  });

  it("leave the padding before the first element out of an array's length", () => {
    assert.equal(written("at", [1n]).toString("hex"), "08000000000000000100000000000000");
    assert.equal(written("at", []).toString("hex"), "0000000000000000");
  });

  const cases: [signature: string, ...values: DbusValue[]][] = [
    ["ybnqiuxtd", 1, true, -2, 3, -4, 5, -6n, 2n ** 64n - 1n, 0.5],
    ["sog", "text ü", "/org/x", "a(sv)"],
    ["ssa(sv)", "a.scope", "fail", [["PIDs", { signature: "au", value: [1, 2, 3] }]]],
    ["a{sv}", [["key", { signature: "(ub)", value: [9, false] }]]],
    ["aas", [["x".repeat(600)], [], ["y", "z"]]],
  ];
  for (const [signature, ...values] of cases) {
    it(`are read as they were written: ${signature}`, () => {
      assert.deepEqual(new DbusReader(written(signature, ...values)).values(signature), values);
    });
  }

  it("that end too early are an error", () => {
    assert.throws(() => new DbusReader(Buffer.from([9, 0, 0, 0, 65])).value("s"), RangeError);
  });

  it("of another kind than their signature says are an error", () => {
    assert.throws(() => written("s", 1), TypeError);
    assert.throws(() => written("as", "x"), TypeError);
    assert.throws(() => written("v", "x"), TypeError);
    assert.throws(() => written("ss", "x"), RangeError);
  });

  it("have signatures that fall into complete types", () => {
    assert.deepEqual(completeTypes("sa{sv}(ia(ss))u"), ["s", "a{sv}", "(ia(ss))", "u"]);
    for (const wrong of ["a", "(", "h", "{s"]) assert.throws(() => completeTypes(wrong), RangeError);
  });
});
