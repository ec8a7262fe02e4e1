import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { constants, createDeflate, inflateSync } from "node:zlib";
import { spdyDictionary } from "./dictionary.ts";
import { emptyHeaderBlock, HeaderDecompressor, parseHeaderBlock } from "./header-block.ts";

function block(...headers: [string, string][]): Buffer {
  const text = (value: string) => Buffer.concat([number(value.length), Buffer.from(value)]);
  return Buffer.concat([number(headers.length), ...headers.flat().map(text)]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

async function compress(deflate: ReturnType<typeof createDeflate>, bytes: Buffer): Promise<Buffer> {
  const parts: Buffer[] = [];
  deflate.removeAllListeners("data").on("data", (part: Buffer) => parts.push(part));
  deflate.write(bytes);
  await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, () => resolve()));
  return Buffer.concat(parts);
}

test("the dictionary is the 1423 bytes of the specification", () => {
  assert.equal(spdyDictionary.length, 1423);
  const digest = createHash("sha256").update(spdyDictionary).digest("hex");
  assert.equal(digest, "51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02");
});

test("blocks that share a compressor are read one after the other", async () => {
  const deflate = createDeflate({ dictionary: spdyDictionary, level: 9 });
  const decompressor = new HeaderDecompressor();
  for (const type of ["error", "stdin", "data"]) {
    const headers = await decompressor.read(await compress(deflate, block(["StreamType", type], ["port", "80\x0081"])));
    assert.deepEqual(
      [...headers],
      [
        ["streamtype", type],
        ["port", "80"],
      ],
    );
  }
  deflate.destroy();
  decompressor.close();
});

test("a block that is not compressed, ends early or grows too large is refused", async () => {
  const garbage = new HeaderDecompressor();
  await assert.rejects(garbage.read(Buffer.alloc(20, 0xff)), /header block/);
  await assert.rejects(garbage.read(Buffer.alloc(20)), /header block/, "and so are all after it");
  const bomb = new HeaderDecompressor();
  const deflate = createDeflate({ dictionary: spdyDictionary });
  await assert.rejects(bomb.read(await compress(deflate, Buffer.alloc(10_000_000))), /above 65536 bytes/);
  deflate.destroy();
  assert.throws(() => parseHeaderBlock(Buffer.from([0, 0, 0, 9, 0, 0, 0, 1])), /ends early/);
  assert.throws(() => parseHeaderBlock(block(["a", "b"]).subarray(0, -1)), /ends early/);
});

test("closing fails a read under way", async () => {
  const decompressor = new HeaderDecompressor();
  const reading = decompressor.read(Buffer.from([0x78]));
  decompressor.close();
  await assert.rejects(reading);
});

test("the blocks of replies are one zlib stream of empty header lists", () => {
  const stream = Buffer.concat([emptyHeaderBlock(true), emptyHeaderBlock(false)]);
  const headers = inflateSync(stream, { finishFlush: constants.Z_SYNC_FLUSH });
  assert.deepEqual(headers, Buffer.alloc(8));
});
