import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  ContainerFilterSchema,
  ContainerState,
  PodSandboxFilterSchema,
  PodSandboxState,
} from "../gen/runtime/v1/api_pb.ts";
import { containerFilterFromWire, sandboxFilterFromWire } from "./filters.ts";

describe("filters", () => {
  it("that are missing or empty select everything", () => {
    assert.deepEqual(sandboxFilterFromWire(undefined), { labels: {} });
    assert.deepEqual(containerFilterFromWire(create(ContainerFilterSchema)), { labels: {} });
  });

  it("carry id, state, pod and labels", () => {
    assert.deepEqual(
      containerFilterFromWire(
        create(ContainerFilterSchema, {
          id: "abc",
          podSandboxId: "def",
          state: { state: ContainerState.CONTAINER_EXITED },
          labelSelector: { app: "web" },
        }),
      ),
      { id: "abc", sandboxId: "def", state: "exited", labels: { app: "web" } },
    );
    // The zero value of a state that is given is a state, not "any".
    assert.deepEqual(
      sandboxFilterFromWire(create(PodSandboxFilterSchema, { state: { state: PodSandboxState.SANDBOX_READY } })),
      { labels: {}, state: "ready" },
    );
  });
});
