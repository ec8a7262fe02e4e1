import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { silentLogger } from "#observability/logger.ts";
import type { Digest } from "#spec/oci-image.ts";
import { BlobStore } from "./blob-store.ts";
import { Layout } from "./layout.ts";
import { ReferenceCounts } from "./reference-counts.ts";
import { SyncBatch } from "./sync-batch.ts";
import { WorkerPool } from "./worker/worker-pool.ts";

const bytes = Buffer.from("{}");
const digest: Digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

describe("blobs", () => {
  let directory: string;
  let layout: Layout;
  let references: ReferenceCounts<Digest>;
  let blobs: BlobStore;
  /** What the next syncs do; those after succeed. */
  let syncs: (() => Promise<void>)[];

  beforeEach(async () => {
    directory = await mkdtemp(path.join(os.tmpdir(), "berth-blobs-"));
    layout = new Layout({ imageRoot: directory, containerRoot: directory, runRoot: directory });
    await layout.create();
    references = new ReferenceCounts(60_000);
    syncs = [];
    const disk = new SyncBatch({ sync: async () => await syncs.shift()?.(), close: async () => {} });
    const writers = new WorkerPool({ name: "unused", size: 1, idleMs: 1 });
    blobs = new BlobStore({
      layout,
      logger: silentLogger,
      retry: { retries: 0, retryDelayMs: 1 },
      writers,
      disk,
      references,
    });
  });
  afterEach(() => rm(directory, { recursive: true }));

  const files = (): Promise<string[]> => readdir(path.dirname(layout.blob(digest)));

  it("are forgotten when a failed sync may have lost them, so that a retry writes them again", async () => {
    syncs = [() => Promise.reject(new Error("EIO"))];
    await blobs.put(digest, bytes);
    await assert.rejects(blobs.synced(), { kind: "data-loss", message: /^blob sha256:\w+ could not be synced.*EIO/ });
    assert.equal(blobs.has(digest), false);
    await blobs.put(digest, bytes);
    await blobs.synced();
    assert.equal(blobs.has(digest), true);
    assert.deepEqual(Buffer.from(await blobs.read(digest)), bytes);
    assert.equal((await files()).length, 1);
  });

  it("keep the file that is in place first, which may be durable already, when two write it at once", async () => {
    const inode = async (): Promise<number> => (await stat(layout.blob(digest))).ino;
    const puts = [blobs.put(digest, bytes), blobs.put(digest, bytes)];
    await Promise.race(puts);
    const first = await inode();
    await Promise.all(puts);
    assert.equal(await inode(), first);
    assert.deepEqual(await readdir(layout.staging), []);
  });

  it("are there when they are written again while they are collected", async () => {
    for (let round = 0; round < 50; round += 1) {
      await blobs.put(digest, bytes);
      references.unclaim([digest]);
      const collected = blobs.collect();
      await Promise.all([collected, blobs.put(digest, bytes)]);
      assert.deepEqual([blobs.has(digest), (await files()).length], [true, 1]);
    }
  });
});
