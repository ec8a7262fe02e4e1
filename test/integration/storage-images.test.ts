import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { checkStore } from "#drivers/storage/check-store.ts";
import { createStorage } from "#drivers/storage/disk-storage.ts";
import { mount, unmount } from "#kernel/mount.ts";
import { silentLogger } from "#observability/logger.ts";
import type { Digest } from "#spec/oci-image.ts";
import { eventually } from "../support/eventually.ts";
import { imageOf, layerOf, putImage, removeImage, sha256, StorageFixture } from "../support/storage.ts";

let fixture: StorageFixture;
beforeEach(async () => {
  fixture = await StorageFixture.open();
});
afterEach(() => fixture[Symbol.asyncDispose]());

async function addedBlob(): Promise<Digest> {
  const bytes = randomBytes(100);
  await fixture.storage.putBlob(sha256(bytes), bytes);
  return sha256(bytes);
}

describe("image records", () => {
  it("are there after a restart, with their layers and blobs", async () => {
    const layers = [await fixture.addedLayer(), await fixture.addedLayer()];
    const manifestDigest = await addedBlob();
    const content = { title: "model", digest: await addedBlob(), sizeBytes: 100 };
    const image = imageOf(layers, {
      repoTags: ["r/a:1"],
      manifestDigest,
      artifact: [content],
      annotations: { k: "v" },
    });
    await putImage(fixture.storage, image);
    const before = fixture.storage.layer(image.chainIds[0] ?? "x:");
    const storage = await fixture.reopen();
    assert.deepEqual(storage.images(), [image]);
    assert.deepEqual(storage.image(image.id), image);
    assert.deepEqual([...storage.takeConfigs().keys()], [], "an artifact has none");
    assert.deepEqual(storage.layer(image.chainIds[0] ?? "x:"), before);
    assert.equal((await storage.readBlob(manifestDigest)).length, 100);
    assert.equal((await storage.readBlob(content.digest)).length, 100);
  });

  it("give their configurations as the start has read them, once", async () => {
    const image = imageOf([await fixture.addedLayer()]);
    await putImage(fixture.storage, image);
    const bytes = await fixture.storage.readBlob(`sha256:${image.id}`);
    const storage = await fixture.reopen();
    assert.deepEqual([...storage.takeConfigs()], [[image.id, bytes]]);
    assert.equal(storage.takeConfigs().size, 0);
  });

  it("hand their names over to the image that takes them, also across a restart", async () => {
    const old = imageOf([], { repoTags: ["r/a:1", "r/a:2"], repoDigests: ["r/a@sha256:1"] });
    const next = imageOf([], { repoTags: ["r/a:1"], repoDigests: ["r/a@sha256:2"] });
    await putImage(fixture.storage, old);
    await putImage(fixture.storage, next);
    const expected = { ...old, repoTags: ["r/a:2"] };
    assert.deepEqual(fixture.storage.image(old.id), expected);
    const last = imageOf([], { repoTags: ["r/a:2"] });
    await putImage(fixture.storage, last);
    const storage = await fixture.reopen();
    assert.deepEqual(storage.image(old.id), { ...old, repoTags: [] }, "it stays with its digest");
    assert.deepEqual(storage.image(next.id), next);
  });

  it("have each name once although a crash came between taking and giving", async () => {
    const old = imageOf([], { repoTags: ["r/a:1"], pulledAtMs: 2 });
    const next = imageOf([], { repoTags: ["r/a:1"], pulledAtMs: 1 });
    await putImage(fixture.storage, old);
    const file = path.join(fixture.roots.imageRoot, "images", `${old.id}.json`);
    const before = await readFile(file);
    await putImage(fixture.storage, next);
    const storage = await fixture.reopen(() => writeFile(file, before));
    assert.deepEqual(storage.image(old.id)?.repoTags, []);
    assert.deepEqual(storage.image(next.id)?.repoTags, ["r/a:1"]);
  });

  it("are a consistent snapshot that later writes do not change", async () => {
    await putImage(fixture.storage, imageOf([]));
    const before = fixture.storage.images();
    await putImage(fixture.storage, imageOf([]));
    assert.equal(before.length, 1);
    assert.equal(fixture.storage.images().length, 2);
    assert.equal(fixture.storage.images(), fixture.storage.images());
  });

  it("are refused when a layer is not there", async () => {
    await assert.rejects(putImage(fixture.storage, imageOf([layerOf([{ path: "x" }])])), { kind: "aborted" });
    assert.deepEqual(fixture.storage.images(), []);
  });

  it("are refused when their id could be a path", async () => {
    await assert.rejects(putImage(fixture.storage, imageOf([], { id: "../../evil" })), { kind: "invalid-argument" });
  });

  it("that find no room on the disk say so, and stay as they were", async () => {
    const directory = await mkdtemp(path.join(os.tmpdir(), "berth-storage-"));
    mount("tmpfs", directory, "tmpfs", 0, "size=4m,nr_inodes=100");
    try {
      await using full = await StorageFixture.open({}, path.join(directory, "own"));
      const image = imageOf([], { repoTags: ["r/a:1"] });
      await putImage(full.storage, image);
      const fillers = Array.from({ length: 100 }, (_, i) => writeFile(path.join(directory, `f${i}`), ""));
      await Promise.allSettled(fillers);
      await assert.rejects(putImage(full.storage, { ...image, repoTags: ["r/a:2"] }), {
        kind: "resource-exhausted",
        message: new RegExp(`^image ${image.id}: .*no space left.*bytes and 0 inodes are free`, "i"),
      });
      assert.deepEqual(full.storage.images(), [image]);
    } finally {
      unmount(directory);
      await rm(directory, { recursive: true });
    }
  });

  it("are set aside when they are damaged or their layer is missing; the others work", async () => {
    const [good, bad, half] = [await fixture.addedLayer(), await fixture.addedLayer(), imageOf([])];
    const [goodImage, badImage] = [imageOf([good]), imageOf([bad])];
    for (const image of [goodImage, badImage, half]) await putImage(fixture.storage, image);
    const images = path.join(fixture.roots.imageRoot, "images");
    const storage = await fixture.reopen(async () => {
      await rm(path.dirname(fixture.diff(bad.chainId)), { recursive: true });
      await writeFile(path.join(images, `${half.id}.json`), "");
      await writeFile(path.join(images, "x.json.1-1.tmp"), "unfinished");
    });
    assert.deepEqual(storage.images(), [goodImage]);
    assert.deepEqual(await readdir(images), [`${goodImage.id}.json`]);
    assert.equal((await readdir(path.join(fixture.roots.imageRoot, "corrupt"))).length, 2);
    const errors = fixture.logged.filter(({ level }) => level === "error").map(({ message }) => message);
    assert.equal(errors.length, 2);
    assert.match(errors.join("\n"), new RegExp(`its layer ${bad.chainId} is missing`));
  });
});

describe("removing an image", () => {
  it("removes the layers and blobs that nothing else refers to", async () => {
    const [own, shared] = [await fixture.addedLayer(), await fixture.addedLayer()];
    const [ownBlob, sharedBlob] = [await addedBlob(), await addedBlob()];
    const artifact = (digest: Digest): { title: string; digest: Digest; sizeBytes: number } => ({
      title: "",
      digest,
      sizeBytes: 1,
    });
    const image = imageOf([shared, own], { manifestDigest: ownBlob, artifact: [artifact(sharedBlob)] });
    const other = imageOf([shared], { manifestDigest: sharedBlob });
    await putImage(fixture.storage, image);
    await putImage(fixture.storage, other);
    await removeImage(fixture.storage, image.id);
    assert.equal(fixture.storage.image(image.id), undefined);
    assert.deepEqual(await fixture.layersOnDisk(), [shared.chainId.slice(7)]);
    assert.deepEqual([fixture.storage.hasLayer(own.chainId), fixture.storage.hasLayer(shared.chainId)], [false, true]);
    await assert.rejects(fixture.storage.readBlob(ownBlob), { kind: "not-found" });
    assert.equal((await fixture.storage.readBlob(sharedBlob)).length, 100);
    await removeImage(fixture.storage, image.id);
  });

  it("keeps the layers that a pull under way has been promised", async () => {
    const shared = await fixture.addedLayer();
    const image = imageOf([shared]);
    await putImage(fixture.storage, image);
    await fixture.add(shared);
    await removeImage(fixture.storage, image.id);
    await putImage(fixture.storage, imageOf([shared]));
    assert.equal(fixture.storage.hasLayer(shared.chainId), true);
  });

  it("keeps the layers of container roots until these go", async () => {
    const layer = await fixture.addedLayer();
    const image = imageOf([layer]);
    await putImage(fixture.storage, image);
    await fixture.storage.createRootfs("c1", image.chainIds);
    await removeImage(fixture.storage, image.id);
    await fixture.reopen();
    assert.equal((await fixture.layersOnDisk()).length, 1);
    await fixture.storage.unmountRootfs("c1");
    await fixture.storage.mountRootfs("c1");
    await fixture.storage.removeRootfs("c1");
    assert.deepEqual(await fixture.layersOnDisk(), []);
  });

  it("lets a layer be fetched again", async () => {
    const layer = await fixture.addedLayer();
    for (let i = 0; i < 3; i += 1) {
      const image = imageOf([layer]);
      await putImage(fixture.storage, image);
      await removeImage(fixture.storage, image.id);
      assert.equal(fixture.storage.hasLayer(layer.chainId), false);
      await fixture.add(layer);
      assert.deepEqual(await readdir(fixture.diff(layer.chainId)), ["file"]);
    }
  });
});

describe("a check of the store", () => {
  it("tells of each blob that an image lacks: manifest, configuration, content", async () => {
    const content = { title: "model", digest: await addedBlob(), sizeBytes: 100 };
    const [image, artifact] = [imageOf([]), imageOf([], { artifact: [content] })];
    for (const one of [image, artifact]) await putImage(fixture.storage, one);
    assert.deepEqual((await checkStore(fixture.roots, { quick: true })).problems, []);
    const lost: Digest[] = [image.manifestDigest, `sha256:${image.id}`, content.digest];
    for (const digest of lost) await rm(fixture.storage.blobPath(digest));
    const { problems } = await checkStore(fixture.roots, { quick: true });
    const names = [image.id, image.id, artifact.id];
    assert.deepEqual(
      problems.toSorted(),
      lost.map((digest, i) => `image ${names[i]} lacks the blob ${digest}; pull it again`).toSorted(),
    );
  });
});

describe("a blob that was damaged or lost on the disk", () => {
  it("is written again when a pull brings it", async () => {
    const bytes = randomBytes(100);
    const place = fixture.storage.blobPath(sha256(bytes));
    const damages = [() => writeFile(place, randomBytes(100)), () => writeFile(place, ""), () => rm(place)];
    await fixture.storage.putBlob(sha256(bytes), bytes);
    for (const damage of damages) {
      await damage();
      await fixture.storage.putBlob(sha256(bytes), bytes);
      assert.deepEqual(Buffer.from(await fixture.storage.readBlob(sha256(bytes))), bytes);
    }
    assert.equal(fixture.storage.imageUsage().usedBytes, 100);
  });
});

describe("opening the storage", () => {
  it("removes layers and blobs without an image, and everything half-made", async () => {
    const layer = await fixture.addedLayer();
    const blob = await addedBlob();
    const staging = path.join(fixture.roots.imageRoot, "staging");
    const storage = await fixture.reopen(() => writeFile(path.join(staging, "half"), "x"));
    assert.equal(storage.hasLayer(layer.chainId), false);
    await assert.rejects(storage.readBlob(blob), { kind: "not-found" });
    assert.deepEqual(await fixture.layersOnDisk(), []);
    await eventually("staging is empty", async () => ((await readdir(staging)).length === 0 ? true : undefined));
  });

  it("is refused while it is open", async () => {
    await assert.rejects(createStorage(fixture.roots, silentLogger), {
      kind: "failed-precondition",
      message: /in use/,
    });
  });
});

describe("usage of the image store", () => {
  it("is the sum of its layers and blobs", async () => {
    assert.deepEqual(fixture.storage.imageUsage(), { usedBytes: 0, inodesUsed: 0 });
    const info = await fixture.add(
      layerOf([
        { path: "d/", kind: "directory" },
        { path: "d/f", content: randomBytes(5000) },
      ]),
    );
    assert.equal(info.unpackedSizeBytes, 4096 + 8192);
    await addedBlob();
    assert.deepEqual(fixture.storage.imageUsage(), { usedBytes: 4096 + 8192 + 100, inodesUsed: 3 });
  });
});
