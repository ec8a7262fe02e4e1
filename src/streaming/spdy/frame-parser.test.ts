import assert from "node:assert/strict";
import { test } from "node:test";
import { type ControlFrame, type DataPiece, FrameParser } from "./frame-parser.ts";
import { controlFrame, ControlType, dataFrameHeader, words } from "./frames.ts";

function parse(bytes: Buffer, chunkSize: number): (DataPiece | ControlFrame)[] {
  const parser = new FrameParser();
  const frames: (DataPiece | ControlFrame)[] = [];
  for (let start = 0; start < bytes.length; start += chunkSize) {
    parser.feed(bytes.subarray(start, start + chunkSize));
    for (let frame = parser.next(); frame !== undefined; frame = parser.next()) frames.push(frame);
  }
  return frames;
}

const bytes = Buffer.concat([
  controlFrame(ControlType.ping, 0, words(1)),
  dataFrameHeader(3, 11, false),
  Buffer.from("hello world"),
  dataFrameHeader(3, 3, true),
  Buffer.from("end"),
  dataFrameHeader(5, 0, true),
  controlFrame(ControlType.rstStream, 0, words(3, 5)),
]);

for (const chunkSize of [1, 7, 9, 1000]) {
  test(`frames cut into chunks of ${chunkSize} bytes come out whole and in order`, () => {
    const frames = parse(bytes, chunkSize);
    const control = frames.filter((frame) => frame.kind === "control");
    assert.deepEqual(
      control.map(({ type }) => type),
      [ControlType.ping, ControlType.rstStream],
    );
    assert.deepEqual(control[1]?.payload, words(3, 5));
    const data = frames.filter((frame) => frame.kind === "data");
    const textOf = (id: number) =>
      Buffer.concat(data.filter((piece) => piece.streamId === id).map((piece) => piece.bytes));
    assert.equal(textOf(3).toString(), "hello worldend");
    assert.deepEqual(
      data.filter((piece) => piece.fin).map((piece) => piece.streamId),
      [3, 5],
    );
    assert.equal(data.findLast((piece) => piece.streamId === 3)?.fin, true);
  });
}

test("other versions, oversized control frames and data for stream 0 are protocol errors", () => {
  assert.throws(() => parse(Buffer.from([0x80, 2, 0, 6, 0, 0, 0, 4]), 100), /SPDY version 2/);
  assert.throws(() => parse(Buffer.from([0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff]), 100), /control frame of 16777215 bytes/);
  assert.throws(() => parse(dataFrameHeader(0, 0, false), 100), /stream 0/);
});
