import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { compressionOf, Decompressor } from "./decompressor.ts";

const content = Buffer.concat([randomBytes(900_000), Buffer.alloc(2_000_000, "abc")]);

async function decompressed(bytes: Buffer, pieceBytes: number): Promise<Buffer> {
  const output: Buffer[] = [];
  const decompressor = new Decompressor((piece) => {
    output.push(Buffer.from(piece));
    return undefined;
  });
  const writes: Promise<void>[] = [];
  for (let offset = 0; offset < bytes.length; offset += pieceBytes) {
    const write = decompressor.write(bytes.subarray(offset, offset + pieceBytes));
    write.catch(() => undefined);
    writes.push(write);
  }
  await Promise.all(writes);
  await decompressor.end();
  return Buffer.concat(output);
}

describe("Decompressor", () => {
  it("gives back what was compressed, in pieces of any size, of several members and frames", async () => {
    const [first, second] = [content.subarray(0, 500_000), content.subarray(500_000)];
    const cases = {
      gzip: gzipSync(content),
      members: Buffer.concat([gzipSync(first), gzipSync(second)]),
      zstd: zstdCompressSync(content),
      frames: Buffer.concat([zstdCompressSync(first), zstdCompressSync(second)]),
      none: content,
    };
    for (const [name, bytes] of Object.entries(cases)) {
      for (const pieceBytes of [65_536, 1_000_001]) {
        assert.ok((await decompressed(bytes, pieceBytes)).equals(content), `${name} in pieces of ${pieceBytes}`);
      }
    }
    assert.deepEqual(await decompressed(gzipSync(Buffer.from("short")), 1), Buffer.from("short"));
    assert.deepEqual(await decompressed(Buffer.from("ab"), 1), Buffer.from("ab"));
    assert.deepEqual(await decompressed(Buffer.alloc(0), 1), Buffer.alloc(0));
  });

  it("fails when the stream is cut or damaged", async () => {
    for (const bytes of [gzipSync(content), zstdCompressSync(content)]) {
      await assert.rejects(decompressed(bytes.subarray(0, bytes.length - 10), 65_536), { kind: "data-loss" });
    }
    const damaged = gzipSync(content);
    damaged[1000] = (damaged[1000] ?? 0) ^ 0xff;
    await assert.rejects(decompressed(damaged, 65_536), { kind: "data-loss", message: /gzip stream is damaged/ });
  });

  it("stops and throws what its receiver throws", async () => {
    let calls = 0;
    const decompressor = new Decompressor(() => {
      calls += 1;
      throw new RangeError("too much");
    });
    const write = decompressor.write(gzipSync(content));
    write.catch(() => undefined);
    await assert.rejects(
      async () => {
        await write;
        await decompressor.end();
      },
      { message: "too much" },
    );
    assert.equal(calls, 1);
  });

  it("goes by the first bytes, and refuses what layers may not use", () => {
    assert.equal(compressionOf(gzipSync("")), "gzip");
    assert.equal(compressionOf(zstdCompressSync("")), "zstd");
    assert.equal(compressionOf(Buffer.from("5d2a4d18", "hex")), "zstd");
    assert.equal(compressionOf(Buffer.from("usr/")), "none");
    for (const start of [Buffer.from("BZh9"), Buffer.from("fd377a58", "hex")]) {
      assert.throws(() => compressionOf(start), { kind: "invalid-argument" });
    }
  });
});
