import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { derContent, derElements, DerTag, derValue, objectIdentifierText } from "./der.ts";

describe("DER", () => {
  it("is a row of elements with tags and contents, long ones too", () => {
    const long = Buffer.alloc(300, 7);
    const bytes = Buffer.concat([Buffer.of(0x02, 1, 5), Buffer.of(0x04, 0x82, 0x01, 0x2c), long]);
    assert.deepEqual(derElements(bytes), [
      { tag: 0x02, content: Buffer.of(5) },
      { tag: 0x04, content: long },
    ]);
    assert.deepEqual(derContent(Buffer.of(0x30, 3, 0x02, 1, 5), DerTag.sequence), [{ tag: 2, content: Buffer.of(5) }]);
  });

  it("has object identifiers of any size", () => {
    for (const [text, bytes] of [
      ["2.5.29.17", [0x55, 0x1d, 0x11]],
      ["1.3.6.1.4.1.57264.1.8", [0x2b, 6, 1, 4, 1, 0x83, 0xbf, 0x30, 1, 8]],
    ] as const)
      assert.equal(objectIdentifierText(Buffer.from(bytes)), text);
  });

  const wrong: [string, number[]][] = [
    ["a content that is cut", [0x04, 5, 1]],
    ["a length that is cut", [0x04, 0x82, 1]],
    ["no length", [0x04]],
    ["an indefinite length", [0x30, 0x80, 0, 0]],
    ["a length with more bytes than it needs", [0x04, 0x81, 1, 7]],
    ["a length of five bytes", [0x04, 0x85, 0, 0, 0, 0, 1, 7]],
    ["a tag of several bytes", [0x1f, 0x81, 1, 0]],
  ];
  for (const [what, bytes] of wrong)
    it(`is refused with ${what}`, () => assert.throws(() => derElements(Buffer.from(bytes)), /not well-formed/));

  it("is refused when there is more, or something else, than one element", () => {
    assert.throws(() => derValue(Buffer.of(0x02, 1, 5, 0x02, 1, 5), DerTag.integer), /not well-formed/);
    assert.throws(() => derValue(Buffer.of(0x02, 1, 5), DerTag.octetString), /not well-formed/);
  });
});
