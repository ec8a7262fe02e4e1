import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { lstat, readdir, readFile, readlink, rm, stat } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { checkStore } from "#drivers/storage/check-store.ts";
import { DomainError } from "#errors/domain-error.ts";
import { getXattr, listXattrs } from "#kernel/file-metadata.ts";
import {
  imageOf,
  layerFrom,
  layerOf,
  putImage,
  removeImage,
  sha256,
  StorageFixture,
  type TestLayer,
} from "../support/storage.ts";
import { tarBlocks, tarOf, type TarPart } from "../support/tar.ts";

let fixture: StorageFixture;
before(async () => {
  fixture = await StorageFixture.open({ limits: { maxEntries: 500, maxUnpackedBytes: 8 * 1024 * 1024 } });
});
after(() => fixture[Symbol.asyncDispose]());

/** Unpacks the entries; gives a function that makes paths in the result. */
async function unpacked(parts: TarPart[]): Promise<(name: string) => string> {
  // An own file makes every layer of the tests a different one.
  const layer = layerOf([...parts, { path: ".unique", content: randomBytes(16) }]);
  await fixture.add(layer);
  return (name) => fixture.diff(layer.chainId, name);
}

async function failure(layer: TestLayer): Promise<DomainError> {
  const error: unknown = await fixture.add(layer).then(
    () => assert.fail("the layer was accepted"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof DomainError, String(error));
  return error;
}

function failureOf(...parts: TarPart[]): Promise<DomainError> {
  return failure(layerOf(parts));
}

describe("an unpacked layer", () => {
  it("has files, directories, links, devices and fifos with owners, modes and times in nanoseconds", async () => {
    const mtimeNs = 1_600_000_000_123_456_789n;
    const at = await unpacked([
      { path: "bin/", kind: "directory", mode: 0o1777, uid: 5, gid: 6, mtimeNs },
      { path: "bin/su", content: "#!", mode: 0o4755, uid: 1000, gid: 1001, mtimeNs },
      { path: "bin/group", content: "", mode: 0o2711 },
      { path: "shared/", kind: "directory", mode: 0o2775, gid: 50, mtimeNs },
      { path: "shared/file", content: "x" },
      { path: "shared/dir/", kind: "directory" },
      { path: "link", kind: "symlink", target: "../../outside", uid: 7, gid: 8, mtimeNs },
      { path: "hard", kind: "hardlink", target: "bin/su" },
      { path: "hardlink-to-symlink", kind: "hardlink", target: "/link" },
      { path: "null", kind: "character", major: 1, minor: 3, mode: 0o666 },
      { path: "disk", kind: "block", major: 259, minor: 70_000 },
      { path: "pipe", kind: "fifo", mode: 0o640 },
    ]);
    const facts = async (name: string): Promise<unknown[]> => {
      const stats = await lstat(at(name), { bigint: true });
      return [(stats.mode & 0o7777n).toString(8), Number(stats.uid), Number(stats.gid), stats.mtimeNs];
    };
    assert.deepEqual(await facts("bin"), ["1777", 5, 6, mtimeNs]);
    assert.deepEqual(await facts("bin/su"), ["4755", 1000, 1001, mtimeNs]);
    assert.deepEqual((await facts("bin/group")).slice(0, 3), ["2711", 0, 0]);
    assert.deepEqual(await facts("shared"), ["2775", 0, 50, mtimeNs]);
    assert.deepEqual((await facts("shared/file")).slice(1, 3), [0, 0], "no group from the setgid directory");
    assert.deepEqual((await facts("shared/dir")).slice(0, 3), ["755", 0, 0]);
    assert.deepEqual((await facts("link")).slice(1), [7, 8, mtimeNs]);
    assert.equal(await readlink(at("link")), "../../outside");
    assert.equal((await stat(at("hard"))).ino, (await stat(at("bin/su"))).ino);
    assert.equal(await readlink(at("hardlink-to-symlink")), "../../outside");
    assert.equal((await stat(at("null"))).rdev, 0x103);
    assert.deepEqual([(await stat(at("disk"))).isBlockDevice(), (await stat(at("pipe"))).isFIFO()], [true, true]);
    assert.equal(((await stat(at("pipe"))).mode & 0o777).toString(8), "640");
  });

  it("has the attributes of its files, capabilities included, and none that would steer overlayfs", async () => {
    const capability = Buffer.from("0100000200200000000000000000000000000000", "hex");
    const at = await unpacked([
      {
        path: "ping",
        content: "x",
        uid: 9,
        xattrs: {
          "security.capability": capability,
          "user.note": "väl",
          "trusted.overlay.redirect": "/etc",
          "security.selinux": "label",
          "strange.name": "1",
        },
      },
      { path: "dir/", kind: "directory", xattrs: { "user.note": "d" } },
      { path: "link", kind: "symlink", target: "ping", xattrs: { "user.note": "not on links" } },
    ]);
    assert.deepEqual(listXattrs(at("ping")).sort(), ["security.capability", "user.note"]);
    assert.deepEqual(getXattr(at("ping"), "security.capability"), capability);
    assert.equal(getXattr(at("ping"), "user.note").toString(), "väl");
    assert.equal(getXattr(at("dir"), "user.note").toString(), "d");
    assert.deepEqual(listXattrs(at("link")), []);
    assert.match(fixture.logged.map(({ message }) => message).join("\n"), /does not take.*strange\.name, user\.note/);
  });

  it("gets parents of mode 0755 for entries that have none", async () => {
    const at = await unpacked([
      { path: "a/b/c", content: "x" },
      { path: "a/d/", kind: "directory", mode: 0o700 },
    ]);
    assert.equal(((await stat(at("a/b"))).mode & 0o7777).toString(8), "755");
    assert.equal(((await stat(at("a/d"))).mode & 0o7777).toString(8), "700");
  });

  it("lets later entries take the place of earlier ones of any type", async () => {
    const at = await unpacked([
      { path: "a", content: "file" },
      { path: "a/", kind: "directory" },
      { path: "b/", kind: "directory" },
      { path: "b/deep/file", content: "x" },
      { path: "b", content: "now a file" },
      { path: "c", content: "target" },
      { path: "d", kind: "symlink", target: "c" },
      { path: "d", content: "not through the link" },
      { path: "e/", kind: "directory", mode: 0o700 },
      { path: "e/kept", content: "x" },
      { path: "e/", kind: "directory", mode: 0o711, uid: 3 },
      { path: "f", content: "1" },
      { path: "f", kind: "hardlink", target: "c" },
      { path: "c", kind: "hardlink", target: "c" },
    ]);
    assert.ok((await lstat(at("a"))).isDirectory());
    assert.equal(await readFile(at("b"), "utf8"), "now a file");
    assert.equal(await readFile(at("c"), "utf8"), "target");
    assert.equal(await readFile(at("d"), "utf8"), "not through the link");
    assert.equal(await readFile(at("e/kept"), "utf8"), "x");
    const { mode, uid } = await stat(at("e"));
    assert.deepEqual([(mode & 0o777).toString(8), uid], ["711", 3]);
    assert.equal(await readFile(at("f"), "utf8"), "target");
  });

  it("turns whiteouts into what overlayfs understands", async () => {
    const at = await unpacked([
      { path: "dir/.wh.gone" },
      { path: "opaque/", kind: "directory" },
      { path: "opaque/.wh..wh..opq" },
      { path: "late/.wh..wh..opq" },
      { path: "late/", kind: "directory", mode: 0o700 },
      { path: ".wh.remade" },
      { path: "remade/", kind: "directory" },
      { path: "made/", kind: "directory" },
      { path: ".wh.made" },
      { path: "file", content: "stays" },
      { path: ".wh.file" },
      { path: ".wh.parent" },
      { path: "parent/child", content: "x" },
      { path: ".wh..wh.plnk", kind: "directory" },
      { path: ".wh..wh.aufs", content: "bookkeeping" },
    ]);
    const gone = await lstat(at("dir/gone"));
    assert.deepEqual([gone.isCharacterDevice(), gone.rdev], [true, 0]);
    for (const name of ["opaque", "late", "remade", "made", "parent"]) {
      assert.equal(getXattr(at(name), "trusted.overlay.opaque").toString(), "y", name);
    }
    assert.equal(((await stat(at("late"))).mode & 0o777).toString(8), "700");
    assert.equal(await readFile(at("file"), "utf8"), "stays");
    assert.deepEqual(
      (await readdir(at("."))).filter((name) => name.startsWith(".wh")),
      [],
    );
    assert.deepEqual(await readdir(at("opaque")), []);
  });

  it("cannot reach outside by .., absolute paths, symlinks or hard links", async () => {
    const at = await unpacked([
      { path: "../../../../up", content: "1" },
      { path: "/absolute", content: "2" },
      { path: "out", kind: "symlink", target: "/" },
      { path: "out/through", content: "3" },
      { path: "up-link", kind: "symlink", target: "../../../../.." },
      { path: "up-link/through2", content: "4" },
      { path: "etc/passwd", content: "own" },
      { path: "hard", kind: "hardlink", target: "../../../../etc/passwd" },
      { path: "nowhere", kind: "symlink", target: "/made/by/link" },
      { path: "nowhere/file", content: "5" },
    ]);
    for (const name of ["up", "absolute", "through", "through2", "made/by/link/file"]) {
      assert.ok((await lstat(at(name))).isFile(), name);
    }
    assert.equal(await readFile(at("hard"), "utf8"), "own");
    await assert.rejects(lstat("/through"), { code: "ENOENT" });
    assert.equal(
      (await failureOf({ path: "shadow", kind: "hardlink", target: "/etc/shadow" })).kind,
      "invalid-argument",
    );
  });

  it("keeps sparse files sparse", async () => {
    const content = Buffer.concat([tarBlocks("1\n8388608\n3\n"), Buffer.from("end")]);
    const pax = {
      "GNU.sparse.major": "1",
      "GNU.sparse.minor": "0",
      "GNU.sparse.name": "sparse",
      "GNU.sparse.realsize": "16777216",
    };
    const at = await unpacked([{ path: "GNUSparseFile.0/sparse", content, pax }]);
    const { size, blocks } = await stat(at("sparse"));
    assert.equal(size, 16_777_216);
    assert.ok(blocks * 512 < 65_536, `${blocks} blocks`);
    assert.equal((await readFile(at("sparse"))).toString("latin1", 8_388_608, 8_388_611), "end");
  });

  it("keeps names that are not UTF-8", async () => {
    const at = await unpacked([
      { path: "dir/x", content: "1", patch: (header) => header.write("dir/\u00ff\u00fe", 0, "latin1") },
    ]);
    assert.deepEqual(await readdir(at("dir"), { encoding: "buffer" }), [Buffer.from([0xff, 0xfe])]);
  });

  it("is found whole by a check, and counted once, when entries take the place of others or have names of any bytes", async () => {
    const parts: TarPart[] = [
      { path: "kept", content: "k".repeat(10_000) },
      { path: "twice", content: "t".repeat(9000) },
      { path: "caf\u00e9", pax: { path: Buffer.from("caf\xe9", "latin1") } },
      { path: "\u00fcber", kind: "directory", pax: { path: Buffer.from("\xfcber/", "latin1") } },
      { path: "in", pax: { path: Buffer.from("\xfcber/in", "latin1") } },
      { path: "link", kind: "hardlink", target: "kept" },
      { path: "was-tree", content: "f" },
      { path: "was-link", kind: "symlink", target: "nowhere" },
    ];
    const replaced: TarPart[] = [
      { path: "was-tree/implied/deep/file", content: "x".repeat(5000) },
      { path: "was-link/", kind: "symlink", target: "was-tree/implied" },
      { path: "was-link/by-link/file" },
      { path: "was-tree/one", content: "y".repeat(5000) },
      { path: "was-tree/other", kind: "hardlink", target: "was-tree/one" },
      { path: "was-tree/outside", kind: "hardlink", target: "kept" },
      { path: "was-tree/.wh.gone" },
      { path: "twice", kind: "symlink", target: "nowhere" },
      { path: "link" },
      { path: "was-link" },
    ];
    const [kept, ...others] = parts;
    assert.ok(kept !== undefined);
    const plain = await fixture.add(layerOf(parts));
    const layer = layerOf([kept, ...replaced, ...others]);
    const info = await fixture.add(layer);
    assert.equal(info.unpackedSizeBytes, plain.unpackedSizeBytes);
    const lower = ["was-tree/implied/deep", "was-link/by-link"].map((name) => ({ path: name, kind: "directory" }));
    const below = layerOf(lower);
    await fixture.add(below);
    const image = imageOf([below, layer]);
    await putImage(fixture.storage, image);
    const { problems } = await checkStore(fixture.roots, { quick: false });
    assert.deepEqual(
      problems.filter((problem) => problem.startsWith("layer")),
      [],
    );
    await rm(fixture.diff(layer.chainId, "twice"));
    const after = await checkStore(fixture.roots, { quick: false });
    await removeImage(fixture.storage, image.id);
    assert.match(after.problems.join("\n"), /layer \S+ is damaged: it has 6 of its 7 files/);
  });

  it("sets the mode and owner of the root when the layer says so", async () => {
    const at = await unpacked([{ path: "./", kind: "directory", mode: 0o711, uid: 11, gid: 12 }]);
    const { mode, uid, gid } = await stat(at("."));
    assert.deepEqual([(mode & 0o7777).toString(8), uid, gid], ["711", 11, 12]);
  });
});

describe("a layer's compression", () => {
  const entries: TarPart[] = [{ path: "random", content: randomBytes(1_500_000) }];
  const tar = tarOf([...entries, { path: "zeros", content: Buffer.alloc(3_000_000) }]);
  const halves = [tar.subarray(0, 1_000_000), tar.subarray(1_000_000)];
  const skippable = Buffer.from("502a4d1803000000616263", "hex");
  const blobs = {
    gzip: gzipSync(tar),
    "gzip of several members": Buffer.concat(halves.map((half) => gzipSync(half))),
    zstd: zstdCompressSync(tar),
    "zstd of several frames, some to be skipped": Buffer.concat([
      skippable,
      ...halves.map((half) => zstdCompressSync(half)),
      skippable,
    ]),
    none: tar,
  };
  for (const [name, blob] of Object.entries(blobs)) {
    it(`may be ${name}, whatever the media type says`, async () => {
      await using own = await StorageFixture.open();
      const layer = layerFrom(blob, sha256(tar));
      await own.add(layer, { mediaType: "text/plain" });
      assert.deepEqual(await readFile(own.diff(layer.chainId, "random")), tar.subarray(512, 1_500_512));
      assert.equal((await stat(own.diff(layer.chainId, "zeros"))).size, 3_000_000);
    });
  }

  it("must be one that layers may use", async () => {
    const xz = Buffer.from("fd377a585a000004e6d6b4460000000000000000000000", "hex");
    const error = await failure(layerFrom(xz, sha256(tar)));
    assert.equal(error.kind, "invalid-argument");
    assert.match(error.message, /bzip2 or xz/);
  });
});

describe("a bad layer", () => {
  it("is refused when its diff id is wrong", async () => {
    const layer = layerFrom(layerOf([{ path: "a" }]).blob, sha256(Buffer.from("other")));
    const error = await failure(layer);
    assert.equal(error.kind, "data-loss");
    assert.match(error.message, /the unpacked content is sha256:.*config says sha256:/);
    assert.equal(fixture.storage.hasLayer(layer.chainId), false);
  });

  it("is refused when its compressed stream is damaged or cut", async () => {
    const { blob, diffId } = layerOf([{ path: "a", content: randomBytes(300_000) }]);
    const damaged = Buffer.from(blob);
    damaged[150_000] = (damaged[150_000] ?? 0) ^ 0xff;
    assert.equal((await failure(layerFrom(damaged, diffId))).kind, "data-loss");
    const cut = await failure(layerFrom(blob.subarray(0, blob.length - 20), diffId));
    assert.match(cut.message, /gzip stream is damaged/);
  });

  it("is refused when it is no tar, with the digest in the message", async () => {
    const garbage = Buffer.alloc(2048, "garbage");
    const error = await failure(layerFrom(garbage, sha256(garbage)));
    assert.equal(error.kind, "data-loss");
    assert.match(error.message, new RegExp(`^layer ${sha256(garbage)}: malformed tar`));
  });

  it("is refused when entries cannot be: no directory above, whiteouts of .., long names, a missing link target", async () => {
    const cases: TarPart[][] = [
      [{ path: "file" }, { path: "file/child" }],
      [{ path: "a/.wh..." }],
      [{ path: ".wh." }],
      [{ path: "n".repeat(300) }],
      [{ path: "hard", kind: "hardlink", target: "missing" }],
      [{ path: "./", kind: "file" }],
      [{ path: "link", kind: "symlink", target: "" }],
      [{ path: "loop", kind: "symlink", target: "loop" }, { path: "loop/x" }],
      [{ path: "volume", kind: "V" }],
    ];
    for (const parts of cases) {
      const error = await failureOf(...parts);
      assert.equal(error.kind, "invalid-argument", `${JSON.stringify(parts)}: ${error.message}`);
    }
  });

  it("is refused when it has too many entries or unpacks to too much, saying which limit", async () => {
    const many = await failureOf(...Array.from({ length: 501 }, (_, i) => ({ path: `f${i}` })));
    assert.equal(many.kind, "resource-exhausted");
    assert.match(many.message, /more than the 500 entries/);
    const bomb = await failure(layerOf([{ path: "zeros", content: Buffer.alloc(9 * 1024 * 1024) }]));
    assert.equal(bomb.kind, "resource-exhausted");
    assert.match(bomb.message, /more than the 8388608 bytes/);
  });

  it("is refused when it grows beyond the ratio that is allowed", async () => {
    await using own = await StorageFixture.open({ limits: { maxUnpackRatio: 10, freeUnpackedBytes: 1_000_000 } });
    await own.add(layerOf([{ path: "small", content: Buffer.alloc(900_000) }]));
    const bomb = layerOf([{ path: "zeros", content: Buffer.alloc(1_100_000) }]);
    await assert.rejects(own.add(bomb), { kind: "resource-exhausted" });
  });

  it("leaves nothing behind", async () => {
    await failureOf({ path: "a/b/c", content: "x" }, { path: "a/b/c/d" });
    await fixture.reopen();
    assert.deepEqual(await readdir(path.join(fixture.roots.imageRoot, "layers")), []);
  });
});
