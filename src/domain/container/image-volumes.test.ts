import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ImageContent } from "#domain/image/image.ts";
import { FakeImageVolumes } from "#drivers/image-volumes/fake.ts";
import { FakeSecurity } from "#drivers/security/fake.ts";
import { FakeStorage } from "#drivers/storage/fake.ts";
import type { RootView } from "#drivers/storage/index.ts";
import { DomainError } from "#errors/domain-error.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import { mountImageVolume, volumeImageIds, volumeImages } from "./image-volumes.ts";
import { exampleContainerRequest, exampleMount, exampleSandboxRequest } from "./request-example.ts";

const model: ImageContent = { id: "1".repeat(64), chainIds: ["sha256:1", "sha256:2"], files: undefined };
const spec = { image: "quay.io/model:1", annotations: {}, userSpecifiedImage: "", runtimeHandler: "", imageRef: "" };
const volume = (imageSubPath = "") =>
  exampleMount({ containerPath: "/model", hostPath: "", image: spec, imageSubPath });

const place = (volume: number, view: RootView = {}) => ({ containerId: "c1", volume, view });

function drivers() {
  const security = new FakeSecurity();
  return { imageVolumes: new FakeImageVolumes(), storage: new FakeStorage(), security };
}

describe("an image volume", () => {
  it("is the mounted content of the image's layers", async () => {
    const parts = drivers();
    const { source } = await mountImageVolume(parts, place(3), volume(), model);
    assert.equal(source.path, "/fake/image-volumes/c1/3/content");
    assert.deepEqual(parts.storage.imageMounts.get(source.path), model.chainIds);
  });

  it("is what the sub path names in that content, if one is given", async () => {
    for (const subPath of ["", ".", "/", "./"]) {
      const { source } = await mountImageVolume(drivers(), place(0), volume(subPath), model);
      assert.equal(source.path, "/fake/image-volumes/c1/0/content");
    }
    const { source } = await mountImageVolume(drivers(), place(0), volume("weights/small"), model);
    assert.equal(source.path, "/fake/image-volumes/c1/0/sub");
  });

  it("of an artifact is a directory with its files", async () => {
    const parts = drivers();
    const files = [{ name: "a/b", path: "/blobs/1" }];
    const { source } = await mountImageVolume(parts, place(0), volume(), { ...model, chainIds: [], files });
    assert.deepEqual([parts.imageVolumes.files.get(source.path), parts.storage.imageMounts.size], [files, 0]);
  });

  it("has the ids and the label of the pod", async () => {
    const parts = drivers();
    const range = [{ hostId: 100_000, containerId: 0, length: 65_536 }];
    const view = { mountLabel: "u:r:t:s0:c1,c2", idMap: { userNamespace: "/pins/user", uids: range, gids: range } };
    const { source } = await mountImageVolume(parts, place(0, view), volume(), model);
    assert.deepEqual(parts.storage.imageViews.get(source.path), view);
  });

  it("of an artifact has the ids of the pod, and a label by which other pods may read it too", async () => {
    const parts = drivers();
    const files = [{ name: "a/b", path: "/blobs/1" }];
    const idMap = { userNamespace: "/pins/user", uids: [], gids: [] };
    const artifact = { ...model, chainIds: [], files };
    const { source } = await mountImageVolume(
      parts,
      place(0, { mountLabel: "u:r:t:s0:c1,c2", idMap }),
      volume(),
      artifact,
    );
    assert.equal(parts.imageVolumes.options.get(source.path)?.idMap, idMap);
    assert.deepEqual(parts.security.calls, [
      "relabel /blobs/1 u:r:t:s0:c1,c2 shared",
      `relabel ${source.path} u:r:t:s0:c1,c2 shared`,
    ]);
  });

  it("asks for no idmapped mount, which overlays cannot be", async () => {
    const mapped = { ...volume(), uidMappings: [{ hostId: 1000, containerId: 0, length: 10 }] };
    assert.deepEqual((await mountImageVolume(drivers(), place(0), mapped, model)).request.uidMappings, []);
  });

  it("that cannot be mounted fails with the word that the kubelet looks for", async () => {
    const parts = drivers();
    parts.imageVolumes.missing.add("none");
    await assert.rejects(mountImageVolume(parts, place(0), volume("none"), model), {
      kind: "image-volume-mount-failed",
      message:
        /^ImageVolumeMountFailed: image quay\.io\/model:1 cannot be mounted at \/model: sub path "none" does not/,
    });
    parts.storage.failNext("mountImage", new DomainError("not-found", "no layer"));
    await assert.rejects(mountImageVolume(parts, place(0), volume(), model), { kind: "image-volume-mount-failed" });
  });
});

describe("the images of a container's volumes", () => {
  const request = exampleContainerRequest({ mounts: [exampleMount(), volume(), volume("sub")] });
  const sandbox = { request: exampleSandboxRequest() };
  const images = (changes: Partial<ContainerDrivers["images"]>) => ({
    images: {
      find: () => undefined,
      use: () => assert.fail("not needed"),
      ensure: () => assert.fail("not needed"),
      content: () => model,
      allow: async () => {},
      ...changes,
    },
  });

  it("are found for each mount that is one, and each is in use once", async () => {
    const found = await volumeImages(images({}), sandbox, request);
    assert.deepEqual(found, [undefined, model, model]);
    assert.deepEqual(volumeImageIds(found), [model.id]);
  });

  it("have to be on the node and allowed for the pod's namespace", async () => {
    const missing = images({
      content: () => {
        throw new DomainError("not-found", "image quay.io/model:1 is not on this node");
      },
    });
    const refused = images({
      allow: async (_image, namespace) => {
        throw new DomainError("signature-validation-failed", `SignatureValidationFailed: not in ${namespace}`);
      },
    });
    for (const [parts, message] of [
      [missing, /^ImageVolumeMountFailed: .*not on this node/],
      [refused, /^ImageVolumeMountFailed: .*SignatureValidationFailed: not in default/],
    ] as const)
      await assert.rejects(volumeImages(parts, sandbox, request), { kind: "image-volume-mount-failed", message });
  });
});
