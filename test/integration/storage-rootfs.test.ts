import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { link, lstat, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { ChainId } from "#drivers/storage/index.ts";
import { listMounts, unmount } from "#kernel/mount.ts";
import { eventually } from "../support/eventually.ts";
import { imageOf, layerOf, putImage, StorageFixture } from "../support/storage.ts";
import type { TarPart } from "../support/tar.ts";

let fixture: StorageFixture;
beforeEach(async () => {
  fixture = await StorageFixture.open();
});
afterEach(() => fixture[Symbol.asyncDispose]());

/** An image of one layer for each list of entries; gives its chain ids. */
async function image(...layers: TarPart[][]): Promise<ChainId[]> {
  const added = layers.map((parts) => layerOf([...parts, { path: ".unique", content: randomBytes(16) }]));
  for (const layer of added) await fixture.add(layer);
  const record = imageOf(added);
  await putImage(fixture.storage, record);
  return record.chainIds;
}

async function mountsBelow(directory: string): Promise<string[]> {
  const mounts = await listMounts();
  return mounts.map(({ mountPoint }) => mountPoint).filter((mountPoint) => mountPoint.startsWith(directory));
}

describe("a container's root", () => {
  it("shows the layers on top of each other, whiteouts applied, and takes writes", async () => {
    const chainIds = await image(
      [
        { path: "./", kind: "directory", mode: 0o751, uid: 3 },
        { path: "both", content: "lower" },
        { path: "gone", content: "x" },
        { path: "opaque/old", content: "x" },
        { path: "lower", content: "l" },
      ],
      [
        { path: "both", content: "upper" },
        { path: ".wh.gone" },
        { path: "opaque/new", content: "x" },
        { path: "opaque/.wh..wh..opq" },
      ],
    );
    const { mountPath, upperPath } = await fixture.storage.createRootfs("c1", chainIds);
    assert.deepEqual((await readdir(mountPath)).sort(), [".unique", "both", "lower", "opaque"]);
    assert.equal(await readFile(path.join(mountPath, "both"), "utf8"), "upper");
    assert.deepEqual(await readdir(path.join(mountPath, "opaque")), ["new"]);
    const root = await stat(mountPath);
    assert.deepEqual([(root.mode & 0o7777).toString(8), root.uid], ["751", 3]);
    await writeFile(path.join(mountPath, "lower"), "changed");
    assert.equal(await readFile(path.join(upperPath, "lower"), "utf8"), "changed");
    assert.equal(await readFile(fixture.diff(chainIds[0] ?? "x:", "lower"), "utf8"), "l");
    const mount = (await listMounts()).find(({ mountPoint }) => mountPoint === mountPath);
    assert.match(mount?.options ?? "", /nodev/);
    assert.match(mount?.superOptions ?? "", /volatile/);
  });

  it("keeps the owner and mode of directories that an upper layer goes through without an entry", async () => {
    const chainIds = await image(
      [
        { path: "tmp/", kind: "directory", mode: 0o1777, mtimeNs: 1_500_000_000_000_000_007n },
        { path: "home/", kind: "directory", uid: 5, gid: 6, mode: 0o2750 },
        { path: "replaced/", kind: "directory", mode: 0o700 },
        { path: "out", kind: "symlink", target: "/etc" },
      ],
      [{ path: "between" }],
      [
        { path: "tmp/file" },
        { path: "home/user/file" },
        { path: ".wh.replaced" },
        { path: "replaced/file" },
        { path: "out/ssl/file" },
        { path: "own/", kind: "directory", mode: 0o711 },
      ],
    );
    await fixture.reopen();
    const { mountPath } = await fixture.storage.createRootfs("c1", chainIds);
    const facts = async (name: string): Promise<unknown[]> => {
      const { mode, uid, gid } = await stat(path.join(mountPath, name));
      return [(mode & 0o7777).toString(8), uid, gid];
    };
    assert.deepEqual(await facts("tmp"), ["1777", 0, 0]);
    assert.equal((await stat(path.join(mountPath, "tmp"), { bigint: true })).mtimeNs, 1_500_000_000_000_000_007n);
    assert.deepEqual(await facts("home"), ["2750", 5, 6]);
    assert.deepEqual(await facts("home/user"), ["755", 0, 0]);
    assert.deepEqual(await facts("replaced"), ["755", 0, 0]);
    assert.deepEqual(await facts("out/ssl"), ["755", 0, 0]);
    assert.deepEqual(await facts("own"), ["711", 0, 0]);
  });

  it("is mounted again after an unmount, a restart or a reboot, with what was written", async () => {
    const chainIds = await image([{ path: "a", content: "1" }]);
    const { mountPath } = await fixture.storage.createRootfs("c1", chainIds);
    await writeFile(path.join(mountPath, "written"), "kept");
    assert.equal((await fixture.storage.mountRootfs("c1")).mountPath, mountPath, "mounted already");
    await fixture.reopen();
    assert.deepEqual(await fixture.storage.rootfsIds(), ["c1"]);
    assert.equal(await readFile(path.join(mountPath, "written"), "utf8"), "kept", "the mount outlives the daemon");
    await fixture.storage.unmountRootfs("c1");
    await fixture.storage.unmountRootfs("c1");
    assert.deepEqual(await mountsBelow(fixture.directory), []);
    await fixture.storage.mountRootfs("c1");
    await fixture.reopen(async () => {
      unmount(mountPath);
      await rm(fixture.roots.runRoot, { recursive: true });
    });
    await fixture.storage.mountRootfs("c1");
    assert.equal(await readFile(path.join(mountPath, "written"), "utf8"), "kept");
  });

  it("leaves nothing when it is removed, once or twice", async () => {
    const chainIds = await image([{ path: "a" }]);
    const { mountPath, upperPath } = await fixture.storage.createRootfs("c1", chainIds);
    await fixture.storage.removeRootfs("c1");
    await fixture.storage.removeRootfs("c1");
    assert.deepEqual(await mountsBelow(fixture.directory), []);
    assert.deepEqual([existsSync(path.dirname(mountPath)), existsSync(upperPath)], [false, false]);
    assert.deepEqual(await fixture.storage.rootfsIds(), []);
    const trash = path.join(fixture.roots.containerRoot, "trash");
    await eventually("the trash is empty", async () => ((await readdir(trash)).length === 0 ? true : undefined));
    await assert.rejects(fixture.storage.mountRootfs("c1"), { kind: "not-found" });
    await assert.rejects(fixture.storage.rootfsUsage("c1"), { kind: "not-found" });
  });

  it("can be removed while it is busy", async () => {
    const { mountPath } = await fixture.storage.createRootfs("c1", await image([{ path: "a" }]));
    const { open } = await import("node:fs/promises");
    await using file = await open(path.join(mountPath, "a"));
    await fixture.storage.removeRootfs("c1");
    assert.deepEqual(await mountsBelow(fixture.directory), []);
    assert.equal((await file.stat()).size, 0);
  });

  it("is made once, of layers that are there, under a name that is no path", async () => {
    const chainIds = await image([{ path: "a" }]);
    await fixture.storage.createRootfs("c1", chainIds);
    await assert.rejects(fixture.storage.createRootfs("c1", chainIds), { kind: "already-exists" });
    const missing = layerOf([{ path: "x" }]).chainId;
    await assert.rejects(fixture.storage.createRootfs("c2", [missing]), { kind: "failed-precondition" });
    for (const id of ["../c", "", ".", "a/b", ".."]) {
      await assert.rejects(fixture.storage.createRootfs(id, chainIds), { kind: "invalid-argument" });
    }
    assert.deepEqual(await fixture.storage.rootfsIds(), ["c1"]);
  });

  it("leaves nothing when the mount fails", async () => {
    const chainIds = await image([{ path: "a" }]);
    const mountLabel = "no:such:label";
    await assert.rejects(fixture.storage.createRootfs("c1", chainIds, { mountLabel }), { kind: "internal" });
    assert.deepEqual(await fixture.storage.rootfsIds(), []);
    assert.deepEqual(await readdir(path.join(fixture.roots.containerRoot, "containers")), []);
    await fixture.storage.createRootfs("c1", chainIds);
  });

  it("may have no layer, and more layers than a page of mount options holds", async () => {
    const empty = await fixture.storage.createRootfs("none", []);
    assert.deepEqual(await readdir(empty.mountPath), []);
    const chainIds = await image(...Array.from({ length: 130 }, (_, i) => [{ path: `f${i}` }]));
    const { mountPath } = await fixture.storage.createRootfs("many", chainIds);
    assert.equal((await readdir(mountPath)).length, 131);
    assert.equal(await readFile(path.join(mountPath, ".unique"), "latin1"), await topmost(chainIds));
  });

  async function topmost(chainIds: ChainId[]): Promise<string> {
    return readFile(fixture.diff(chainIds.at(-1) ?? "x:", ".unique"), "latin1");
  }

  it("may have layers whose paths are longer than the mount API takes", async () => {
    const directory = path.join(fixture.directory, "l".repeat(200));
    await using long = await StorageFixture.open({}, directory);
    const layers = Array.from({ length: 20 }, (_, i) => layerOf([{ path: `f${i}` }]));
    for (const layer of layers) await long.add(layer);
    const { chainIds } = imageOf(layers);
    const { mountPath } = await long.storage.createRootfs("c1", chainIds);
    assert.equal((await readdir(mountPath)).length, 20);
  });

  it("can be removed although its record is damaged", async () => {
    await fixture.storage.createRootfs("c1", await image([{ path: "a" }]));
    const record = path.join(fixture.roots.containerRoot, "containers/c1/rootfs.json");
    await fixture.reopen(() => writeFile(record, ""));
    await assert.rejects(fixture.storage.mountRootfs("c1"), { kind: "data-loss" });
    assert.deepEqual(await fixture.storage.rootfsIds(), ["c1"]);
    await fixture.storage.removeRootfs("c1");
    assert.deepEqual(await mountsBelow(fixture.directory), []);
  });

  it("that is gone from disk is unmounted at start", async () => {
    const { mountPath } = await fixture.storage.createRootfs("c1", await image([{ path: "a" }]));
    await fixture.reopen(() => rm(path.join(fixture.roots.containerRoot, "containers/c1"), { recursive: true }));
    assert.deepEqual(await mountsBelow(fixture.directory), []);
    assert.equal(existsSync(mountPath), false);
  });
});

describe("usage of container roots", () => {
  it("counts what the container wrote, hard links once, whatever the depth", async () => {
    const chainIds = await image([{ path: "lower", content: randomBytes(100_000) }]);
    const { mountPath } = await fixture.storage.createRootfs("c1", chainIds);
    const before = await fixture.storage.rootfsUsage("c1");
    await writeFile(path.join(mountPath, "file"), randomBytes(40_960));
    await link(path.join(mountPath, "file"), path.join(mountPath, "again"));
    const after = await fixture.storage.rootfsUsage("c1");
    assert.deepEqual([after.usedBytes - before.usedBytes, after.inodesUsed - before.inodesUsed], [40_960, 1]);
    await fixture.storage.createRootfs("c2", chainIds);
    const total = await fixture.storage.containerUsage();
    assert.ok(total.usedBytes >= after.usedBytes && total.inodesUsed >= after.inodesUsed + 1);
  });

  it("is measured and removed although the tree is deeper than a path can say", async () => {
    const { upperPath } = await fixture.storage.createRootfs("c1", await image([{ path: "a" }]));
    const name = "d".repeat(200);
    const home = process.cwd();
    try {
      process.chdir(upperPath);
      for (let i = 0; i < 40; i += 1) {
        await mkdir(name);
        process.chdir(name);
      }
      await writeFile("bottom", "x");
    } finally {
      process.chdir(home);
    }
    assert.equal((await fixture.storage.rootfsUsage("c1")).inodesUsed, 42);
    await fixture.storage.removeRootfs("c1");
    const trash = path.join(fixture.roots.containerRoot, "trash");
    await eventually("the trash is empty", async () => ((await readdir(trash)).length === 0 ? true : undefined));
  });
});

describe("an image mounted for reading", () => {
  for (const count of [0, 1, 3]) {
    it(`shows its ${count} layers and lets nobody write or execute`, async () => {
      const chainIds = await image(...Array.from({ length: count }, (_, i) => [{ path: `f${i}`, content: `${i}` }]));
      const target = path.join(fixture.directory, "volume");
      await mkdir(target);
      await fixture.storage.mountImage(chainIds, target);
      try {
        assert.equal((await readdir(target)).length, count === 0 ? 0 : count + 1);
        await assert.rejects(writeFile(path.join(target, "new"), ""), { code: "EROFS" });
        const mount = (await listMounts()).find(({ mountPoint }) => mountPoint === target);
        const options = mount?.options.split(",") ?? [];
        for (const option of ["ro", "nosuid", "nodev", "noexec"]) assert.ok(options.includes(option), option);
      } finally {
        unmount(target);
      }
    });
  }

  it("needs a target and layers that exist", async () => {
    const chainIds = await image([{ path: "a" }]);
    await assert.rejects(fixture.storage.mountImage(chainIds, "/no/such/target"), { kind: "not-found" });
    const missing = layerOf([{ path: "x" }]).chainId;
    await assert.rejects(fixture.storage.mountImage([missing], fixture.directory), { kind: "failed-precondition" });
    assert.ok((await lstat(fixture.directory)).isDirectory());
  });
});
