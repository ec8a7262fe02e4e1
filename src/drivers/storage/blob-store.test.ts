import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { Digest } from "#spec/oci-image.ts";
import { BlobStore } from "./blob-store.ts";
import { Layout } from "./layout.ts";
import { ReferenceCounts } from "./reference-counts.ts";
import { SyncBatch } from "./sync-batch.ts";
import { WorkerPool } from "./worker/worker-pool.ts";

const bytes = Buffer.from("{}");
const digest: Digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

describe("BlobStore", () => {
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
    blobs = new BlobStore({ layout, retry: { retries: 0, retryDelayMs: 1 }, writers, disk, references });
  });
  afterEach(() => rm(directory, { recursive: true }));

  const files = (): Promise<string[]> => readdir(path.dirname(layout.blob(digest)));

  it("forgets blobs that a failed sync may have lost, so that a retry writes them again", async () => {
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
});
