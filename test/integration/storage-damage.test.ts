import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { checkStore } from "#drivers/storage/check-store.ts";
import { mostKept, mostKeptBytes } from "#drivers/storage/set-aside.ts";
import { imageOf, putImage, removeImage, sha256, sourceOf, StorageFixture } from "../support/storage.ts";

let fixture: StorageFixture;
beforeEach(async () => {
  fixture = await StorageFixture.open();
});
afterEach(() => fixture[Symbol.asyncDispose]());

describe("what somebody else has put into the store", () => {
  it("does not keep it from being opened, and stays unless it lies among the layers", async () => {
    const layer = await fixture.addedLayer();
    await putImage(fixture.storage, imageOf([layer]));
    const strange = ["blobs/README", "blobs/md5/0", "blobs/sha256/README", "layers/README"];
    const mounts = path.join(fixture.roots.runRoot, "rootfs");
    const storage = await fixture.reopen(async () => {
      for (const name of strange) {
        const file = path.join(fixture.roots.imageRoot, name);
        await mkdir(path.dirname(file), { recursive: true });
        await writeFile(file, "a note");
      }
      await mkdir(path.join(mounts, "lost+found"));
    });
    assert.equal(storage.images().length, 1);
    for (const name of strange.slice(0, 3))
      assert.equal(await readFile(path.join(fixture.roots.imageRoot, name), "utf8"), "a note");
    const { usedBytes } = storage.imageUsage();
    await removeImage(storage, storage.images()[0]?.id ?? "");
    assert.ok(storage.imageUsage().usedBytes < usedBytes);
  });
});

describe("what was set aside", () => {
  it("is kept up to a number and a size, the newest of it", async () => {
    const corrupt = path.join(fixture.roots.imageRoot, "corrupt");
    const names = Array.from({ length: mostKept + 20 }, (_, index) => `a-1-${1000 + index}-old.json`);
    const images = path.join(fixture.roots.imageRoot, "images");
    await fixture.reopen(async () => {
      for (const name of names) await writeFile(path.join(corrupt, name), "{}");
      await writeFile(path.join(images, "x.json"), "no record");
    });
    const kept = (await readdir(corrupt)).toSorted();
    assert.equal(kept.length, mostKept);
    assert.deepEqual(kept.slice(0, -1), names.slice(21));
    assert.match(kept.at(-1) ?? "", /-x\.json$/);
    await fixture.reopen(() => truncate(path.join(corrupt, kept[50] ?? ""), mostKeptBytes));
    assert.deepEqual((await readdir(corrupt)).toSorted(), kept.slice(51));
  });
});

describe("an image that is no longer whole", () => {
  const images = (): string => path.join(fixture.roots.imageRoot, "images");
  const damages: Record<string, (file: string) => Promise<void>> = {
    lost: (file) => rm(file),
    emptied: (file) => writeFile(file, ""),
    "changed by one bit": async (file) => {
      const bytes = await readFile(file);
      bytes[0] = (bytes[0] ?? 0) ^ 1;
      await writeFile(file, bytes);
    },
  };

  for (const [how, damage] of Object.entries(damages))
    it(`since its configuration was ${how} is not listed after a start, and is mended by a pull that fetches no layer`, async () => {
      const layer = await fixture.addedLayer();
      const image = imageOf([layer], { repoTags: ["r/a:1"] });
      await putImage(fixture.storage, image);
      const storage = await fixture.reopen(() => damage(fixture.storage.blobPath(`sha256:${image.id}`)));
      assert.deepEqual([storage.images(), await readdir(images())], [[], []]);
      const said = fixture.logged.map(({ message }) => message).join("\n");
      assert.match(said, /its configuration is lost or damaged; pull r\/a:1 again/);
      assert.equal(storage.hasLayer(layer.chainId), true, "the pull needs it");
      const again = { ...image, pulledAtMs: image.pulledAtMs + 1 };
      await putImage(storage, again);
      assert.deepEqual((await fixture.reopen()).images(), [again]);
    });

  it("is not listed from the moment when a container misses a layer, and a pull fetches that layer only", async () => {
    const [lost, left] = [await fixture.addedLayer(), await fixture.addedLayer()];
    const [image, other] = [imageOf([lost, left], { repoTags: ["r/a:1"] }), imageOf([left])];
    const { storage } = fixture;
    for (const one of [image, other]) await putImage(storage, one);
    const target = path.join(fixture.directory, "volume");
    await mkdir(target);
    const uses: [string, () => Promise<unknown>][] = [
      ["c1", () => storage.createRootfs("c1", image.chainIds)],
      [target, () => storage.mountImage(image.chainIds, target)],
    ];
    for (const [user, use] of uses) {
      await rm(path.dirname(fixture.diff(lost.chainId)), { recursive: true });
      await assert.rejects(use(), {
        kind: "failed-precondition",
        message: `${user}: 1 of 2 layers of its image are not in the store: ${lost.chainId}; the image must be pulled again`,
      });
      assert.deepEqual([storage.images(), await readdir(images())], [[other], [`${other.id}.json`]]);
      assert.deepEqual(await storage.rootfsIds(), []);
      await fixture.add(left, { open: () => Promise.reject(new Error("read again")) });
      await fixture.add(lost);
      await putImage(storage, image);
    }
    await storage.createRootfs("c1", image.chainIds);
    await storage.unmountRootfs("c1");
    await rm(path.dirname(fixture.diff(lost.chainId)), { recursive: true });
    await assert.rejects(storage.mountRootfs("c1"), { kind: "failed-precondition", message: /^c1: 1 of 2 layers/ });
    await fixture.add(lost);
    await storage.mountRootfs("c1");
    assert.deepEqual((await checkStore(fixture.roots, { quick: true })).problems, []);
  });

  it("is mended by a pull that finds a layer lost before any container does", async () => {
    const layer = await fixture.addedLayer();
    const image = imageOf([layer]);
    await putImage(fixture.storage, image);
    await rm(path.dirname(fixture.diff(layer.chainId)), { recursive: true });
    await fixture.add(layer);
    assert.deepEqual(await readdir(fixture.diff(layer.chainId)), ["file"]);
  });

  it("is still there when the disk gives no layer at all", async () => {
    const image = imageOf([await fixture.addedLayer()]);
    await putImage(fixture.storage, image);
    const layers = path.join(fixture.roots.imageRoot, "layers");
    await rename(layers, `${layers}.away`);
    await assert.rejects(fixture.storage.createRootfs("c1", image.chainIds));
    assert.deepEqual(fixture.storage.images(), [image]);
    await rename(`${layers}.away`, layers);
    await fixture.storage.createRootfs("c1", image.chainIds);
  });

  it("keeps what is left of it for the pull that mends it, but not beyond another start", async () => {
    const [lost, left] = [await fixture.addedLayer(), await fixture.addedLayer()];
    await putImage(fixture.storage, imageOf([lost, left]));
    await fixture.reopen(() => rm(fixture.diff(lost.chainId), { recursive: true }));
    assert.equal(fixture.storage.hasLayer(left.chainId), true);
    const storage = await fixture.reopen();
    assert.equal(storage.hasLayer(left.chainId), false);
    assert.deepEqual(await readdir(path.join(fixture.roots.imageRoot, "blobs/sha256")), []);
    assert.deepEqual(await fixture.layersOnDisk(), []);
  });

  it("is listed when only its manifest is lost, which containers do not need, and a pull mends that too", async () => {
    const image = imageOf([await fixture.addedLayer()]);
    await putImage(fixture.storage, image);
    const manifest = fixture.storage.blobPath(image.manifestDigest);
    const storage = await fixture.reopen(() => rm(manifest));
    assert.deepEqual(storage.images(), [image]);
    await putImage(storage, { ...image, pulledAtMs: image.pulledAtMs + 1 });
    assert.equal(sha256(await readFile(manifest)), image.manifestDigest);
  });

  it("since a file of an artifact was cut off is not listed, and that is fetched again although the daemon runs on", async () => {
    const bytes = randomBytes(1000);
    const source = sourceOf(bytes);
    const signal = new AbortController().signal;
    const image = imageOf([], { artifact: [{ title: "model", digest: source.digest, sizeBytes: 1000 }] });
    await fixture.storage.addBlob(source, { signal });
    await putImage(fixture.storage, image);
    const file = fixture.storage.blobPath(source.digest);
    for (const damage of [() => truncate(file, 10), () => rm(file)]) {
      await damage();
      await fixture.storage.addBlob(source, { signal });
      assert.deepEqual(await readFile(file), bytes);
    }
    const storage = await fixture.reopen(() => truncate(file, 10));
    assert.deepEqual(storage.images(), []);
    await storage.addBlob(source, { signal });
    await putImage(storage, image);
    assert.deepEqual((await fixture.reopen()).images(), [image]);
  });
});
