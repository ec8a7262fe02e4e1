import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import type { Rootfs } from "#drivers/storage/index.ts";
import type { Digest } from "#spec/oci-image.ts";
import { layerOf, StorageFixture } from "../support/storage.ts";
import { tarOf, type TarPart } from "../support/tar.ts";

const skip = process.getuid?.() === 0 ? false : "needs root";
const signal = new AbortController().signal;

describe("what a container has written", { skip }, () => {
  /** A root of two layers that is mounted as container "c". */
  async function rootOf(fixture: StorageFixture, ...layers: TarPart[][]): Promise<Rootfs> {
    const chainIds: Digest[] = [];
    for (const parts of layers) {
      const { source, ...ids } = layerOf(parts);
      await fixture.storage.addLayer({ ...ids, source }, { signal });
      chainIds.push(ids.chainId);
    }
    return fixture.storage.createRootfs("c", chainIds);
  }

  async function changesOf(fixture: StorageFixture, ignored: string[] = []) {
    const listFile = path.join(fixture.directory, "list");
    const { changed, deleted } = await fixture.storage.rootfsChanges("c", { ignored, listFile });
    const names = readFileSync(listFile, "utf8").split("\0").slice(0, -1);
    assert.equal(names.length, changed);
    return { names: names.sort(), deleted: deleted.sort() };
  }

  const base: TarPart[] = [
    { path: "etc", kind: "directory", mode: 0o755 },
    { path: "etc/keep", content: "keep" },
    { path: "etc/gone", content: "gone" },
    { path: "old", kind: "directory", mode: 0o755 },
    { path: "old/a", content: "a" },
    { path: "old/sub", kind: "directory", mode: 0o755 },
    { path: "old/sub/b", content: "b" },
    { path: "becomes-file", kind: "directory", mode: 0o755 },
    { path: "becomes-file/x", content: "x" },
  ];

  it("is listed, and nothing else", async () => {
    await using fixture = await StorageFixture.open();
    const { mountPath } = await rootOf(fixture, base, [{ path: "etc/second", content: "second layer" }]);
    assert.deepEqual(await changesOf(fixture), { names: [], deleted: [] });
    rmSync(path.join(fixture.directory, "list"));
    writeFileSync(path.join(mountPath, "etc/new ümlaut"), "new");
    writeFileSync(path.join(mountPath, "etc/second"), "changed");
    rmSync(path.join(mountPath, "etc/gone"));
    mkdirSync(path.join(mountPath, "data"));
    assert.deepEqual(await changesOf(fixture, ["data"]), {
      names: ["etc", "etc/new ümlaut", "etc/second"],
      deleted: ["etc/gone"],
    });
  });

  it("tells what a directory that was deleted and made again has lost, in all layers and at any depth", async () => {
    await using fixture = await StorageFixture.open();
    const { mountPath } = await rootOf(fixture, base, [
      { path: "old/second", content: "" },
      { path: "old/.wh.a", content: "" },
    ]);
    const old = path.join(mountPath, "old");
    rmSync(old, { recursive: true });
    mkdirSync(path.join(old, "sub"), { recursive: true });
    writeFileSync(path.join(old, "sub/fresh"), "");
    assert.deepEqual(await changesOf(fixture), {
      names: ["old", "old/sub", "old/sub/fresh"],
      deleted: ["old/second", "old/sub/b"],
    });
  });

  it("makes another root of the image look the same", async () => {
    await using fixture = await StorageFixture.open();
    const { mountPath } = await rootOf(fixture, base);
    const again = await fixture.storage.createRootfs("again", [layerOf(base).chainId]);
    rmSync(path.join(mountPath, "etc/gone"));
    rmSync(path.join(mountPath, "old"), { recursive: true });
    rmSync(path.join(mountPath, "becomes-file"), { recursive: true });
    writeFileSync(path.join(mountPath, "becomes-file"), "a file now", { mode: 0o600 });
    mkdirSync(path.join(mountPath, "new"), { mode: 0o700 });
    symlinkSync("/etc/keep", path.join(mountPath, "new/link"));
    const listFile = path.join(fixture.directory, "list");
    const archive = path.join(fixture.directory, "diff.tar");
    const { deleted } = await fixture.storage.rootfsChanges("c", { ignored: [], listFile });
    execFileSync("tar", ["-cf", archive, "-C", mountPath, "--null", "--no-recursion", `--files-from=${listFile}`]);
    await fixture.storage.applyRootfsChanges("again", { archive, deleted });
    assert.equal(describeTree(again.mountPath), describeTree(mountPath));
  });

  it("cannot be put outside of the root, by whatever link the root has", async () => {
    await using fixture = await StorageFixture.open();
    const outside = path.join(fixture.directory, "outside");
    mkdirSync(outside);
    writeFileSync(path.join(outside, "victim"), "");
    await rootOf(fixture, [{ path: "escape", kind: "symlink", target: outside }]);
    const archive = path.join(fixture.directory, "diff.tar");
    writeFileSync(
      archive,
      tarOf([
        { path: "escape/written", content: "" },
        { path: "../up", content: "" },
      ]),
    );
    await fixture.storage.applyRootfsChanges("c", { archive, deleted: ["escape/victim", "/../../outside/victim"] });
    assert.deepEqual(readdirSync(outside), ["victim"]);
    assert.equal(existsSync(path.join(fixture.directory, "up")), false);
  });
});

/** Names, kinds, modes and content of all below a directory. */
function describeTree(root: string): string {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => {
      const file = path.join(root, name);
      const stats = lstatSync(file);
      return `${name} ${stats.mode.toString(8)} ${stats.isFile() ? readFileSync(file, "utf8") : ""}`;
    })
    .join("\n");
}
