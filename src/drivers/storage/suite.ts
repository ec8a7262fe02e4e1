import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { DomainError } from "#errors/domain-error.ts";
import type { Digest } from "#spec/oci-image.ts";
import { imageOf, putImage, removeImage } from "../../../test/support/storage.ts";
import { tarOf } from "../../../test/support/tar.ts";
import type { ChainId, ImageRecord, LayerSource, Storage } from "./index.ts";

interface SuiteLayer {
  chainId: ChainId;
  diffId: Digest;
  source: LayerSource;
}

function sha256(bytes: Uint8Array): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function sourceOf(bytes: Uint8Array, changes: Partial<LayerSource> = {}): LayerSource {
  const open = async (offset: number): Promise<ReadableStream<Uint8Array>> =>
    new ReadableStream({
      start(controller) {
        if (offset < bytes.length) controller.enqueue(Uint8Array.from(bytes.subarray(offset)));
        controller.close();
      },
    });
  return { digest: sha256(bytes), sizeBytes: bytes.length, mediaType: "application/octet-stream", open, ...changes };
}

function layer(changes: Partial<LayerSource> = {}): SuiteLayer {
  const tar = tarOf([{ path: "file", content: randomBytes(100) }]);
  return { chainId: sha256(tar), diffId: sha256(tar), source: sourceOf(gzipSync(tar), changes) };
}

async function kept(storage: Storage, image: ImageRecord): Promise<ImageRecord> {
  await putImage(storage, image);
  const now = storage.image(image.id);
  assert.ok(now !== undefined);
  return now;
}

const { signal } = new AbortController();

/** What every implementation of `Storage` keeps. `open` gives one that is empty; it is closed after each test. */
export function storageSuite(name: string, open: () => Promise<{ storage: Storage } & AsyncDisposable>): void {
  describe(`${name} keeps the contract of Storage`, () => {
    let opened: { storage: Storage } & AsyncDisposable;
    let storage: Storage;
    beforeEach(async () => {
      opened = await open();
      storage = opened.storage;
    });
    afterEach(() => opened[Symbol.asyncDispose]());

    it("has a layer after addLayer, reports progress up to its size, and knows it the next time", async () => {
      const one = layer();
      assert.equal(storage.hasLayer(one.chainId), false);
      assert.equal(storage.layer(one.chainId), undefined);
      const progress: number[] = [];
      const onProgress = ({ compressedBytes }: { compressedBytes: number }): void =>
        void progress.push(compressedBytes);
      const info = await storage.addLayer(one, { signal, onProgress });
      assert.deepEqual([info.chainId, info.diffId], [one.chainId, one.diffId]);
      assert.ok(info.unpackedSizeBytes > 0);
      assert.equal(progress.at(-1), one.source.sizeBytes);
      assert.deepEqual(storage.layer(one.chainId), info);
      const unread = { ...one, source: { ...one.source, open: () => Promise.reject(new Error("read again")) } };
      assert.deepEqual(await storage.addLayer(unread, { signal }), info);
    });

    it("refuses a layer of another size or digest, and one whose caller has left", async () => {
      const wrong = [layer({ sizeBytes: 10 }), layer({ sizeBytes: 10_000 }), layer({ digest: sha256(randomBytes(4)) })];
      for (const one of wrong) {
        await assert.rejects(storage.addLayer(one, { signal }), { kind: "data-loss" });
        assert.equal(storage.hasLayer(one.chainId), false);
      }
      await assert.rejects(storage.addLayer(layer(), { signal: AbortSignal.abort() }), { kind: "cancelled" });
    });

    it("asks for wrong content elsewhere, and fails as the source does when there is no other place", async () => {
      const tar = tarOf([{ path: "file", content: randomBytes(100) }]);
      const good = gzipSync(tar);
      const damaged = Buffer.from(good).fill(0, 40, 50);
      const ids = { chainId: sha256(tar), diffId: sha256(tar) };
      for (const places of [[damaged, good.subarray(1), good], [damaged]]) {
        let at = 0;
        const reasons: string[] = [];
        const changes: Partial<LayerSource> = {
          open: async (offset) => ReadableStream.from([Uint8Array.from((places[at] ?? good).subarray(offset))]),
          reject(reason) {
            reasons.push(reason);
            at += 1;
            if (at === places.length) throw new DomainError("data-loss", "no place is left");
          },
        };
        const adds = [
          () => storage.addLayer({ ...ids, source: sourceOf(good, changes) }, { signal }),
          () => storage.addBlob(sourceOf(good, changes), { signal }),
        ];
        for (const add of adds) {
          at = 0;
          reasons.length = 0;
          if (places.includes(good)) await add();
          else await assert.rejects(add(), { kind: "data-loss", message: "no place is left" });
          assert.equal(reasons.length, places.length - (places.includes(good) ? 1 : 0), reasons.join());
        }
        await storage.dropFetched();
      }
    });

    it("tells a caller that is made to leave why, when the reason says it", async () => {
      const reason = new DomainError("registry-unavailable", "no progress");
      for (const early of [true, false]) {
        const opened = Promise.withResolvers<void>();
        const leaving = new AbortController();
        const open = async (): Promise<ReadableStream<Uint8Array>> => {
          opened.resolve();
          return new ReadableStream();
        };
        if (early) leaving.abort(reason);
        const [one, other] = [layer({ open }), layer({ open })];
        const refusals = [
          assert.rejects(storage.addLayer(one, { signal: leaving.signal }), reason),
          assert.rejects(storage.addBlob(other.source, { signal: leaving.signal }), reason),
        ];
        if (!early) await opened.promise;
        leaving.abort(reason);
        await Promise.all(refusals);
      }
    });

    it("keeps blobs under their digest, reports their progress, and refuses others", async () => {
      const [put, added] = [randomBytes(50), randomBytes(60)];
      await storage.putBlob(sha256(put), put);
      const progress: number[] = [];
      const onProgress = ({ compressedBytes }: { compressedBytes: number }): void =>
        void progress.push(compressedBytes);
      await storage.addBlob(sourceOf(added), { signal, onProgress });
      assert.equal(progress.at(-1), added.length);
      assert.deepEqual(Buffer.from(await storage.readBlob(sha256(put))), put);
      assert.deepEqual(Buffer.from(await storage.readBlob(sha256(added))), added);
      await assert.rejects(storage.putBlob(sha256(randomBytes(4)), added), { kind: "data-loss" });
      await assert.rejects(storage.readBlob(sha256(randomBytes(4))), { kind: "not-found" });
      assert.ok(storage.blobPath(sha256(put)).startsWith(storage.imageRoot));
    });

    it("moves names to the image that takes them; the other keeps the rest", async () => {
      const old = imageOf([], { repoTags: ["r/a:1", "r/a:2"], repoDigests: ["r/a@sha256:1"] });
      const next = imageOf([], { repoTags: ["r/a:1"], repoDigests: ["r/a@sha256:2"] });
      await putImage(storage, old);
      const before = storage.images();
      await putImage(storage, next);
      assert.deepEqual(storage.image(old.id), { ...old, repoTags: ["r/a:2"] });
      assert.deepEqual(storage.image(next.id), next);
      assert.deepEqual(before, [old], "a snapshot does not change");
    });

    it("replaces the record of the same image", async () => {
      const one = imageOf([], { repoTags: ["r/a:1"] });
      await putImage(storage, one);
      await putImage(storage, { ...one, repoTags: ["r/b:1"] });
      assert.deepEqual(storage.images(), [{ ...one, repoTags: ["r/b:1"] }]);
    });

    it("makes changes of one record one after the other, each of what the one before left", async () => {
      const { id } = await kept(storage, imageOf([]));
      const tags = ["r/a:1", "r/a:2", "r/a:3"];
      const add = (tag: string) =>
        storage.updateImage(id, (now) => now && { ...now, repoTags: [...now.repoTags, tag] });
      await Promise.all(tags.map(add));
      assert.deepEqual(storage.image(id)?.repoTags.toSorted(), tags);
      const [, left] = await Promise.all([removeImage(storage, id), add("r/a:4")]);
      assert.deepEqual([storage.image(id), left], [undefined, undefined]);
    });

    it("leaves a record for which a change gives the same object or throws, and gives the record as it is then", async () => {
      const one = await kept(storage, imageOf([], { repoTags: ["r/a:1"] }));
      assert.equal(await storage.updateImage(one.id, (now) => now), one);
      const refusal = storage.updateImage(one.id, () => {
        throw new DomainError("failed-precondition", "in use");
      });
      await assert.rejects(refusal, { kind: "failed-precondition" });
      assert.equal(storage.image(one.id), one);
      assert.equal(await storage.updateImage(imageOf([]).id, (now) => now), undefined);
    });

    it("keeps the object of a record that another image does not change", async () => {
      const one = imageOf([], { repoTags: ["r/a:1"] });
      await putImage(storage, one);
      const before = storage.image(one.id);
      await putImage(storage, imageOf([], { repoTags: ["r/b:1"] }));
      assert.equal(storage.image(one.id), before);
      assert.equal(storage.images()[0], before);
    });

    it("refuses an image whose layer is not there", async () => {
      await assert.rejects(putImage(storage, imageOf([layer()])), { kind: "aborted" });
    });

    it("refuses an image whose configuration, manifest or content is not there", async () => {
      const missing = sha256(randomBytes(8));
      const images = [
        imageOf([], { id: missing.slice("sha256:".length) }),
        imageOf([], { manifestDigest: missing }),
        imageOf([], { artifact: [{ title: "", digest: missing, sizeBytes: 8 }] }),
      ];
      for (const image of images) await assert.rejects(putImage(storage, image), { kind: "aborted" });
      assert.deepEqual(storage.images(), []);
    });

    it("removes an image with what only it refers to", async () => {
      const [own, shared] = [layer(), layer()];
      for (const one of [own, shared]) await storage.addLayer(one, { signal });
      const manifest = randomBytes(20);
      await storage.putBlob(sha256(manifest), manifest);
      const image = imageOf([shared, own], { manifestDigest: sha256(manifest) });
      await putImage(storage, image);
      await putImage(storage, imageOf([shared]));
      await removeImage(storage, image.id);
      await removeImage(storage, image.id);
      assert.equal(storage.image(image.id), undefined);
      assert.deepEqual([storage.hasLayer(own.chainId), storage.hasLayer(shared.chainId)], [false, true]);
      await assert.rejects(storage.readBlob(sha256(manifest)), { kind: "not-found" });
    });

    it("keeps what a pull under way has asked for when another image that has it is put and removed", async () => {
      const shared = layer();
      const manifest = randomBytes(20);
      const own = imageOf([shared], { manifestDigest: sha256(manifest) });
      {
        using _ = storage.keepFetched();
        await storage.addLayer(shared, { signal });
        await storage.putBlob(sha256(manifest), manifest);
        const other = imageOf([shared], { manifestDigest: sha256(manifest) });
        await putImage(storage, other);
        await removeImage(storage, other.id);
        await putImage(storage, own);
      }
      await removeImage(storage, own.id);
      assert.equal(storage.hasLayer(shared.chainId), false);
      await assert.rejects(storage.readBlob(sha256(manifest)), { kind: "not-found" });
    });

    it("drops what was fetched for no image when it is told to, and nothing that an image has or a pull under way asked for", async () => {
      const [failed, used, wanted] = [layer(), layer(), layer()];
      const blob = randomBytes(20);
      await storage.addLayer(failed, { signal });
      await storage.putBlob(sha256(blob), blob);
      await storage.addLayer(used, { signal });
      await putImage(storage, imageOf([used]));
      using _ = storage.keepFetched();
      await storage.addLayer(wanted, { signal });
      await storage.dropFetched();
      assert.deepEqual(
        [failed, used, wanted].map(({ chainId }) => storage.hasLayer(chainId)),
        [false, true, true],
      );
      await assert.rejects(storage.readBlob(sha256(blob)), { kind: "not-found" });
      await putImage(storage, imageOf([wanted]));
    });

    it("makes, mounts, unmounts, measures and removes container roots", async () => {
      const one = layer();
      await storage.addLayer(one, { signal });
      await putImage(storage, imageOf([one]));
      const rootfs = await storage.createRootfs("c1", [one.chainId]);
      await assert.rejects(storage.createRootfs("c1", [one.chainId]), { kind: "already-exists" });
      await assert.rejects(storage.createRootfs("c2", [layer().chainId]), { kind: "failed-precondition" });
      assert.deepEqual(await storage.rootfsIds(), ["c1"]);
      await storage.unmountRootfs("c1");
      await storage.unmountRootfs("c1");
      assert.deepEqual(await storage.mountRootfs("c1"), rootfs);
      assert.ok((await storage.rootfsUsage("c1")).inodesUsed >= 1);
      assert.ok((await storage.containerUsage()).inodesUsed >= 1);
      await storage.removeRootfs("c1");
      await storage.removeRootfs("c1");
      assert.deepEqual(await storage.rootfsIds(), []);
      await assert.rejects(storage.mountRootfs("c1"), { kind: "not-found" });
      await assert.rejects(storage.rootfsUsage("c1"), { kind: "not-found" });
    });

    it("counts layers and blobs in the usage of images", async () => {
      const before = storage.imageUsage();
      const one = layer();
      const info = await storage.addLayer(one, { signal });
      const blob = randomBytes(1000);
      await storage.putBlob(sha256(blob), blob);
      const after = storage.imageUsage();
      assert.equal(after.usedBytes - before.usedBytes, info.unpackedSizeBytes + 1000);
      assert.ok(after.inodesUsed > before.inodesUsed);
    });
  });
}
