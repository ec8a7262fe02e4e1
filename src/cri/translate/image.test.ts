import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { exampleImage } from "#domain/pod/entity-examples.ts";
import { ImageSchema, PullImageRequestSchema } from "../gen/runtime/v1/api_pb.ts";
import { imageInfo, imageToWire, pullRequestFromWire } from "./image.ts";

const rootfs = { type: "layers", diff_ids: [] };

describe("an image on the wire", () => {
  it("has a uid or a user name, never both", () => {
    const numeric = create(ImageSchema, imageToWire(exampleImage({ config: { rootfs, config: { User: "0:5" } } })));
    assert.deepEqual([numeric.uid?.value, numeric.username], [0n, ""]);
    const named = create(ImageSchema, imageToWire(exampleImage({ config: { rootfs, config: { User: "www" } } })));
    assert.deepEqual([named.uid, named.username], [undefined, "www"]);
  });

  it("can be sent whatever number its user is: one that is no uid is a name", () => {
    for (const User of ["99999999999999999999999", "9223372036854775808", "9".repeat(400)]) {
      const image = create(ImageSchema, imageToWire(exampleImage({ config: { rootfs, config: { User } } })));
      assert.deepEqual([image.uid, image.username], [undefined, User]);
      assert.ok(toBinary(ImageSchema, image).length > 0);
    }
  });

  it("tells labels and configuration in its info", () => {
    const config = { rootfs, config: { Labels: { a: "b" } } };
    assert.deepEqual(JSON.parse(imageInfo(exampleImage({ config }))["info"] ?? ""), {
      labels: { a: "b" },
      imageSpec: config,
    });
  });
});

describe("PullImageRequest", () => {
  it("gives the credentials that are set and the pod's namespace", () => {
    const request = create(PullImageRequestSchema, {
      image: { image: "busybox" },
      auth: { identityToken: "t", serverAddress: "r.io" },
      sandboxConfig: { metadata: { namespace: "prod" } },
    });
    assert.deepEqual(pullRequestFromWire(request), {
      image: "busybox",
      auth: { identityToken: "t", serverAddress: "r.io" },
      namespace: "prod",
    });
  });

  it("is refused without an image", () => {
    assert.throws(() => pullRequestFromWire(create(PullImageRequestSchema)), {
      kind: "invalid-argument",
      message: "image is missing",
    });
  });
});
