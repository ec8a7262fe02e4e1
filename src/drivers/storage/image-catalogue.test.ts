import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { silentLogger } from "#observability/logger.ts";
import { ImageCatalogue } from "./image-catalogue.ts";
import type { ImageRecord } from "./index.ts";
import { Layout } from "./layout.ts";

const image: ImageRecord = {
  id: "1a".repeat(32),
  repoTags: ["r/a:1"],
  repoDigests: [],
  manifestDigest: `sha256:${"2b".repeat(32)}`,
  manifestMediaType: "application/vnd.oci.image.manifest.v1+json",
  chainIds: [],
  compressedSizeBytes: 0,
  unpackedSizeBytes: 0,
  pulledAtMs: 1,
};

describe("an image that is set aside", () => {
  let directory: string;
  let layout: Layout;
  let catalogue: ImageCatalogue;
  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), "berth-catalogue-"));
    layout = new Layout({ imageRoot: directory, containerRoot: directory, runRoot: directory });
    await layout.create();
    catalogue = new ImageCatalogue(layout, silentLogger, () => {});
    await catalogue.update(image.id, () => image);
  });
  afterEach(() => rm(directory, { recursive: true }));

  it("is not known any more, also where its names were changed just before", async () => {
    const renaming = catalogue.update(image.id, (current) => current && { ...current, repoTags: ["r/a:2"] });
    await Promise.all([renaming, catalogue.setAside(image, "a layer is lost")]);
    assert.deepEqual([catalogue.all(), await readdir(layout.images)], [[], []]);
    assert.equal((await readdir(layout.corrupt)).length, 1);
  });

  it("stays when a pull has mended it just before", async () => {
    const mended = { ...image, pulledAtMs: 2 };
    await Promise.all([catalogue.update(image.id, () => mended), catalogue.setAside(image, "a layer is lost")]);
    assert.deepEqual([catalogue.all(), await readdir(layout.corrupt)], [[mended], []]);
  });
});
