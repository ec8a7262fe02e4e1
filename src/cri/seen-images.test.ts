import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exampleImage } from "./examples.ts";
import { seenImage } from "./seen-images.ts";

describe("an image that comes again", () => {
  it("is the one that came before when nothing has changed", () => {
    const image = exampleImage({ annotations: { a: "b" } });
    assert.equal(seenImage(image), image);
    assert.equal(seenImage({ ...image, annotations: { a: "b" } }), image);
  });

  it("is itself when anything has changed", () => {
    const image = exampleImage();
    seenImage(image);
    for (const change of [
      { pinned: true },
      { sizeBytes: 1 },
      { config: { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } } },
      { annotations: { a: "b" } },
      { repoTags: ["other:1"] },
      { repoDigests: [] },
    ]) {
      const changed = { ...image, ...change };
      assert.equal(seenImage(changed), changed);
      assert.equal(seenImage({ ...changed }), changed);
      assert.equal(seenImage(image), image);
    }
  });
});
