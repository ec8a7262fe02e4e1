import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeImageVolumes } from "#drivers/image-volumes/fake.ts";
import type { ImageConfig } from "#spec/oci-image.ts";
import { declaredVolumeMounts } from "./declared-volumes.ts";
import { exampleContainerRequest, exampleMount } from "./request-example.ts";

describe("volumes that an image declares", () => {
  const imageVolumes = new FakeImageVolumes();
  const config: ImageConfig = {
    config: { Volumes: { "/data": {}, "cache/": {}, "/": {}, "/proc/x": {}, "/dev": {}, "/a/../../b": {} } },
    rootfs: { type: "layers", diff_ids: [] },
  };
  const request = exampleContainerRequest({ mounts: [exampleMount()] });

  it("are bound from directories of the container's own, but not over what the runtime mounts", () => {
    const mounts = declaredVolumeMounts({ imageVolumes }, "c1", config, "bind", request);
    assert.deepEqual(
      mounts.map(({ destination, source }) => [destination, source]),
      [
        ["/b", "/fake/image-volumes/c1/1/scratch"],
        ["/cache", "/fake/image-volumes/c1/2/scratch"],
        ["/data", "/fake/image-volumes/c1/3/scratch"],
      ],
    );
  });

  it("are refused when there are too many", () => {
    const Volumes = Object.fromEntries(Array.from({ length: 1001 }, (_, index) => [`/${index}`, {}]));
    assert.throws(
      () => declaredVolumeMounts({ imageVolumes }, "c1", { ...config, config: { Volumes } }, "bind", request),
      {
        kind: "invalid-argument",
        message: /declares 1001 volumes/,
      },
    );
  });

  it("are no mounts when they are only to be made, or to be ignored", () => {
    for (const mode of ["mkdir", "ignore"] as const)
      assert.deepEqual(declaredVolumeMounts({ imageVolumes }, "c1", config, mode, request), []);
  });
});
