import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { describeRequest } from "./describe-request.ts";
import { CreateContainerRequestSchema, MountPropagation, PullImageRequestSchema } from "./gen/runtime/v1/api_pb.ts";

describe("the description of a request for logs", () => {
  it("has no secret of AuthConfig", () => {
    const request = create(PullImageRequestSchema, {
      image: { image: "busybox" },
      auth: { username: "u", password: "p1", auth: "p2", identityToken: "p3", registryToken: "p4" },
    });
    assert.deepEqual(describeRequest(PullImageRequestSchema, request), {
      image: { image: "busybox" },
      auth: {
        username: "u",
        password: "[redacted]",
        auth: "[redacted]",
        identity_token: "[redacted]",
        registry_token: "[redacted]",
      },
    });
  });

  it("has lists, maps and enums, and no values of environment variables", () => {
    const request = create(CreateContainerRequestSchema, {
      config: {
        args: ["a", "b"],
        envs: [{ key: "TOKEN", value: Buffer.from("secret") }],
        labels: { app: "web" },
        mounts: [{ containerPath: "/data", propagation: MountPropagation.PROPAGATION_BIDIRECTIONAL }],
      },
    });
    assert.deepEqual(describeRequest(CreateContainerRequestSchema, request), {
      config: {
        args: ["a", "b"],
        envs: [{ key: "TOKEN", value: "[bytes]" }],
        labels: { app: "web" },
        mounts: [{ container_path: "/data", propagation: "PROPAGATION_BIDIRECTIONAL" }],
      },
    });
  });
});
