import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { kindOf } from "#errors/domain-error.ts";
import { tarBlocks, tarOf, type TarPart } from "../../../../test/support/tar.ts";
import { type Entry, textOf } from "./entry.ts";
import { TarReader } from "./reader.ts";

interface Read {
  entry: Entry;
  /** The file as it would be on disk, holes filled with dots. */
  content: string;
}

/** Reads an archive in pieces of the given size. */
function read(archive: Buffer, pieceBytes = archive.length): Read[] {
  const all: Read[] = [];
  let content = Buffer.alloc(0);
  let current: Entry | undefined;
  const reader = new TarReader({
    begin(entry) {
      current = entry;
      content = Buffer.alloc(entry.sizeBytes, ".");
    },
    data(bytes, fileOffset) {
      bytes.copy(content, fileOffset);
    },
    end() {
      assert.ok(current !== undefined);
      all.push({ entry: current, content: content.toString("latin1") });
      current = undefined;
    },
  });
  for (let offset = 0; offset < archive.length; offset += pieceBytes) {
    reader.write(archive.subarray(offset, offset + pieceBytes));
  }
  reader.end();
  return all;
}

function one(...parts: TarPart[]): Read {
  const all = read(tarOf(parts));
  assert.equal(all.length, 1);
  const [first] = all;
  assert.ok(first !== undefined);
  return first;
}

function failure(archive: Buffer): { kind: string; message: string } {
  try {
    read(archive);
  } catch (error) {
    assert.ok(error instanceof Error);
    return { kind: kindOf(error), message: error.message };
  }
  return assert.fail("the archive was read without an error");
}

const mixed: TarPart[] = [
  { path: "./", kind: "directory", mode: 0o1777 },
  { path: "etc/passwd", content: "root:x:0:0\n".repeat(200), mode: 0o4755, uid: 1000, gid: 1001 },
  { path: "etc/empty" },
  { path: `long/${"n".repeat(300)}`, content: "x", format: "gnu" },
  { path: `pax/${"n".repeat(300)}`, content: "y", mtimeNs: 1_600_000_000_123_456_789n },
  { path: "link", kind: "symlink", target: `t${"o".repeat(200)}` },
  { path: "hard", kind: "hardlink", target: "etc/passwd" },
  { path: "dev/null", kind: "character", major: 1, minor: 3 },
  { path: "dev/sda", kind: "block", major: 8, minor: 0 },
  { path: "pipe", kind: "fifo" },
];

describe("TarReader", () => {
  it("gives the same entries whatever the size of the pieces it is fed", () => {
    const archive = tarOf(mixed);
    const whole = read(archive);
    assert.equal(whole.length, mixed.length);
    for (const pieceBytes of [1, 7, 511, 512, 513, 4096]) assert.deepEqual(read(archive, pieceBytes), whole);
  });

  it("reads kinds, modes, owners, devices and content", () => {
    const [root, passwd, empty, , , link, hard, character, block, fifo] = read(tarOf(mixed));
    assert.equal(root?.entry.kind, "directory");
    assert.equal(root?.entry.mode, 0o1777);
    assert.equal(passwd?.content, "root:x:0:0\n".repeat(200));
    assert.deepEqual([passwd?.entry.mode, passwd?.entry.uid, passwd?.entry.gid], [0o4755, 1000, 1001]);
    assert.equal(empty?.content, "");
    assert.equal(link?.entry.linkPath, `t${"o".repeat(200)}`);
    assert.deepEqual([hard?.entry.kind, hard?.entry.linkPath], ["hardlink", "etc/passwd"]);
    assert.deepEqual([character?.entry.kind, character?.entry.major, character?.entry.minor], ["character", 1, 3]);
    assert.deepEqual([block?.entry.kind, block?.entry.major], ["block", 8]);
    assert.equal(fifo?.entry.kind, "fifo");
  });

  it("joins the ustar prefix and the name", () => {
    const { entry } = one({ path: "name", patch: (header) => header.write("some/prefix", 345) });
    assert.equal(entry.path, "some/prefix/name");
  });

  it("reads GNU long names and long link targets", () => {
    const path = `p/${"a".repeat(400)}`;
    const target = "b".repeat(500);
    const { entry } = one({ path, kind: "symlink", target, format: "gnu" });
    assert.deepEqual([entry.path, entry.linkPath], [path, target]);
  });

  it("lets PAX records override path, link, size, owner and time", () => {
    const { entry, content } = one({
      path: "short",
      content: "four",
      declaredSizeBytes: 0,
      pax: { path: "päth", uid: "4000000", gid: "4000001", size: "4", mtime: "-1.25" },
    });
    assert.equal(textOf(entry.path), "päth");
    assert.deepEqual([entry.uid, entry.gid, content], [4_000_000, 4_000_001, "four"]);
    assert.deepEqual([entry.mtimeSeconds, entry.mtimeNanoseconds], [-2n, 750_000_000n]);
  });

  it("keeps the nanoseconds of PAX times", () => {
    const { entry } = one({ path: "f", mtimeNs: 1_700_000_000_000_000_001n });
    assert.deepEqual([entry.mtimeSeconds, entry.mtimeNanoseconds], [1_700_000_000n, 1n]);
  });

  it("reads extended attributes of both spellings, bytes kept", () => {
    const value = Buffer.from([0, 1, 255, 10, 61]);
    const { entry } = one({
      path: "f",
      xattrs: { "security.capability": value },
      pax: { "LIBARCHIVE.xattr.user.a%3Db": Buffer.from("v").toString("base64") },
    });
    assert.deepEqual(entry.xattrs?.get("security.capability"), value);
    assert.deepEqual(entry.xattrs?.get("user.a=b"), Buffer.from("v"));
  });

  it("keeps names that are not UTF-8 byte for byte", () => {
    const { entry } = one({ path: "x", patch: (header) => header.write("\u00ff\u00fe", 0, "latin1") });
    assert.equal(entry.path, "\u00ff\u00fe");
  });

  it("ignores global PAX headers", () => {
    const { entry } = one(
      { path: "pax_global_header", kind: "global", content: "20 comment=whatever\n" },
      { path: "f" },
    );
    assert.equal(entry.path, "f");
  });

  it("reads base-256 numbers", () => {
    const { entry, content } = one({
      path: "f",
      content: "abc",
      patch: (header) => {
        header.fill(0, 124, 136);
        header[124] = 0x80;
        header[135] = 3;
        header.fill(0, 108, 116);
        header[108] = 0x80;
        header.writeUInt32BE(3_000_000_000, 112);
        header.fill(0xff, 136, 148);
      },
    });
    assert.deepEqual([content, entry.uid, entry.mtimeSeconds], ["abc", 3_000_000_000, -1n]);
  });

  it("takes a regular file of old archives with a slash at its end as a directory", () => {
    assert.equal(one({ path: "old/", kind: "\0" }).entry.kind, "directory");
    assert.equal(one({ path: "old", kind: "\0" }).entry.kind, "file");
  });

  it("accepts checksums summed from signed bytes", () => {
    const archive = tarOf([{ path: "\u00e9" }]);
    archive.write("\u00ff\u00ff", 0, "latin1");
    let sum = 0;
    for (let i = 0; i < 512; i += 1) sum += i >= 148 && i < 156 ? 32 : archive.readInt8(i);
    archive.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
    assert.equal(read(archive)[0]?.entry.path, "\u00ff\u00ff");
  });

  it("ends at two zero blocks and ignores what follows", () => {
    const archive = Buffer.concat([tarOf([{ path: "f" }]), Buffer.from("garbage".repeat(200))]);
    assert.equal(read(archive).length, 1);
  });

  it("goes on after a lone zero block", () => {
    const parts: TarPart[] = [{ path: "a" }, { raw: Buffer.alloc(512) }, { path: "b" }];
    assert.deepEqual(
      read(tarOf(parts)).map(({ entry }) => entry.path),
      ["a", "b"],
    );
  });

  it("accepts an archive without closing blocks, and an empty one", () => {
    const archive = tarOf([{ path: "f", content: "x" }]);
    assert.equal(read(archive.subarray(0, 1024)).length, 1);
    assert.deepEqual(read(Buffer.alloc(0)), []);
  });
});

describe("TarReader, sparse files", () => {
  const data = tarBlocks(`${"A".repeat(512)}${"B".repeat(100)}`);
  const expected = `${"A".repeat(512)}${".".repeat(1536)}${"B".repeat(100)}${".".repeat(52)}`;

  it("reads PAX 0.0, where offsets and lengths are repeated records", () => {
    const pairs = [
      ["GNU.sparse.size", "2200"],
      ["GNU.sparse.offset", "0"],
      ["GNU.sparse.numbytes", "512"],
      ["GNU.sparse.offset", "2048"],
      ["GNU.sparse.numbytes", "100"],
    ].map(([key, value]) => record(`${key}=${value}`));
    const content = pairs.join("");
    const { entry, content: file } = one(
      { path: "PaxHeader", kind: "pax", content },
      { path: "s", content: data.subarray(0, 612) },
    );
    assert.deepEqual([file, entry.dataBytes], [expected, 612]);
  });

  it("reads PAX 0.1, where the map is one record", () => {
    const pax = {
      "GNU.sparse.size": "2200",
      "GNU.sparse.numblocks": "2",
      "GNU.sparse.map": "0,512,2048,100",
      "GNU.sparse.name": "true-name",
    };
    const { entry, content } = one({ path: "GNUSparseFile.0/s", content: data.subarray(0, 612), pax });
    assert.deepEqual([content, entry.path], [expected, "true-name"]);
  });

  it("reads PAX 1.0, where the map leads the data", () => {
    const map = tarBlocks("2\n0\n512\n2048\n100\n");
    const content = Buffer.concat([map, data.subarray(0, 612)]);
    const pax = {
      "GNU.sparse.major": "1",
      "GNU.sparse.minor": "0",
      "GNU.sparse.name": "s",
      "GNU.sparse.realsize": "2200",
    };
    const archive = tarOf([{ path: "GNUSparseFile.0/s", content, pax }, { path: "after" }]);
    for (const pieceBytes of [1, 100, 4096]) {
      const [sparse, after] = read(archive, pieceBytes);
      assert.equal(sparse?.content, expected);
      assert.equal(after?.entry.path, "after");
    }
  });

  it("reads the old GNU format with further header blocks", () => {
    const segments = Array.from({ length: 6 }, (_, i) => ({ offset: i * 1024, length: 512 }));
    const write = (block: Buffer, at: number, { offset, length }: { offset: number; length: number }): void => {
      block.write(offset.toString(8).padStart(11, "0"), at, "latin1");
      block.write(length.toString(8).padStart(11, "0"), at + 12, "latin1");
    };
    const more = Buffer.alloc(512);
    for (const [i, segment] of segments.slice(4).entries()) write(more, 24 * i, segment);
    const content = Buffer.from("abcdef".replaceAll(/./g, (letter) => letter.repeat(512)));
    const archive = tarOf([
      {
        path: "s",
        kind: "S",
        format: "gnu",
        declaredSizeBytes: content.length,
        patch: (header) => {
          for (const [i, segment] of segments.slice(0, 4).entries()) write(header, 386 + 24 * i, segment);
          header[482] = 1;
          header.write((5632 + 88).toString(8).padStart(11, "0"), 483, "latin1");
        },
      },
      { raw: more },
      { raw: content },
      { path: "after" },
    ]);
    const [sparse, after] = read(archive);
    const file =
      "abcdef"
        .split("")
        .map((letter) => letter.repeat(512))
        .join(".".repeat(512)) + ".".repeat(88);
    assert.equal(sparse?.content, file);
    assert.equal(after?.entry.path, "after");
  });

  it("refuses segments of negative offset or length, although their sum is right", () => {
    for (const segments of [
      [
        [1024, -512],
        [1024, 1024],
      ],
      [[-512, 512]],
    ]) {
      const content = Buffer.alloc(512, "a");
      const patch = (header: Buffer): void => {
        for (const [i, [offset = 0, length = 0]] of segments.entries()) {
          writeBase256(header, 386 + 24 * i, offset);
          writeBase256(header, 398 + 24 * i, length);
        }
        writeBase256(header, 483, 4096);
      };
      assert.deepEqual(failure(tarOf([{ path: "s", kind: "S", format: "gnu", content, patch }])), {
        kind: "data-loss",
        message: "malformed tar: the map of a sparse file has a negative offset or length",
      });
    }
  });

  it("refuses maps that overlap, reach past the end, or do not match the data", () => {
    for (const map of ["0,512,100,100", "0,512,2150,100", "0,512,2048,99"]) {
      const pax = { "GNU.sparse.size": "2200", "GNU.sparse.map": map };
      assert.equal(failure(tarOf([{ path: "s", content: data.subarray(0, 612), pax }])).kind, "data-loss");
    }
  });
});

describe("TarReader, bad archives", () => {
  it("reports a wrong checksum as data loss", () => {
    const archive = tarOf([{ path: "f" }]);
    archive[0] = 0x7a;
    assert.deepEqual(failure(archive), {
      kind: "data-loss",
      message: "malformed tar: the checksum of an entry's header does not match",
    });
  });

  it("reports an archive cut inside an entry, a header or after an extended header", () => {
    const archive = tarOf([{ path: "f", content: "x".repeat(2000) }]);
    for (const length of [1, 511, 1000, 2047]) {
      assert.equal(failure(archive.subarray(0, length)).message, "truncated tar: it ends inside an entry");
    }
    const pax = tarOf([{ path: "f", pax: { uid: "1" } }]);
    assert.equal(failure(pax.subarray(0, 1024)).kind, "data-loss");
  });

  it("refuses entry types that layers do not have", () => {
    const { kind, message } = failure(tarOf([{ path: "volume", kind: "V" }]));
    assert.equal(kind, "invalid-argument");
    assert.match(message, /volume.*"V"/);
  });

  it("refuses malformed PAX records, sizes and times", () => {
    for (const content of ["5 a=b\n", "99 a=b\n", "x a=b\n", "6 abcd\n", record("size=12a"), record("mtime=soon")]) {
      const archive = tarOf([{ path: "p", kind: "pax", content }, { path: "f" }]);
      assert.equal(failure(archive).kind, "data-loss", content);
    }
  });

  it("refuses an extended header of gigabytes before collecting it", () => {
    const archive = tarOf([{ path: "p", kind: "pax", declaredSizeBytes: 2_000_000_000 }]);
    assert.match(failure(archive).message, /too many/);
  });

  it("refuses a negative size, whatever the type of the entry", () => {
    for (const kind of ["file", "directory", "symlink", "pax", "global", "L", "K", "S"]) {
      const archive = tarOf([{ path: "f", kind, patch: (header) => writeBase256(header, 124, -512) }, { path: "g" }]);
      assert.deepEqual(
        failure(archive),
        { kind: "data-loss", message: "malformed tar: the size in an entry's header is negative" },
        kind,
      );
    }
  });

  it("refuses names that hold NUL", () => {
    assert.equal(failure(tarOf([{ path: "f", pax: { path: "a\0b" } }])).kind, "data-loss");
  });
});

/** A number in a field of 12 bytes as GNU tar writes what octal digits cannot say. */
function writeBase256(block: Buffer, offset: number, value: number): void {
  block.fill(value < 0 ? 0xff : 0, offset, offset + 4);
  block.writeBigInt64BE(BigInt(value), offset + 4);
  if (value >= 0) block[offset] = 0x80;
}

function record(text: string): string {
  const rest = ` ${text}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}
