import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { frameOf, MessageReader } from "./message-frame.ts";

function textsIn(reader: MessageReader): string[] {
  const texts: string[] = [];
  for (let message = reader.next(); message !== undefined; message = reader.next())
    texts.push(message.bytes.toString("latin1"));
  return texts;
}

describe("messages in a stream", () => {
  it("are found whatever pieces they come in", () => {
    const wire = Buffer.concat(["one", "", "three".repeat(50)].map((text) => frameOf([Buffer.from(text)])));
    for (const size of [1, 2, 4, 5, 6, 7, 100, wire.length]) {
      const reader = new MessageReader(1000);
      const texts: string[] = [];
      for (let start = 0; start < wire.length; start += size) {
        reader.push(wire.subarray(start, start + size));
        texts.push(...textsIn(reader));
      }
      assert.deepEqual(texts, ["one", "", "three".repeat(50)]);
      assert.equal(reader.isEmpty, true);
    }
  });

  it("leave the bytes of the pieces as they are", () => {
    const first = frameOf([Buffer.from("ab")]).subarray(0, 6);
    const reader = new MessageReader(1000);
    reader.push(first);
    reader.push(Buffer.from("b"));
    assert.deepEqual(textsIn(reader), ["ab"]);
    assert.deepEqual([...first], [0, 0, 0, 0, 2, 97]);
  });

  it("are left over when one is cut off", () => {
    const reader = new MessageReader(1000);
    reader.push(frameOf([Buffer.from("abc")]).subarray(0, 7));
    assert.equal(reader.next(), undefined);
    assert.equal(reader.isEmpty, false);
  });

  it("are refused by their prefix when they are too long", () => {
    const reader = new MessageReader(10);
    reader.push(Buffer.from([0, 0, 0, 0, 11]));
    assert.throws(() => reader.next(), { kind: "resource-exhausted" });
  });

  it("are refused when their flags are not known", () => {
    const reader = new MessageReader(10);
    reader.push(Buffer.from([2, 0, 0, 0, 0]));
    assert.throws(() => reader.next(), { kind: "internal" });
  });

  it("tell that they are compressed", () => {
    const reader = new MessageReader(10);
    reader.push(Buffer.from([1, 0, 0, 0, 1, 97]));
    assert.equal(reader.next()?.isCompressed, true);
  });
});
