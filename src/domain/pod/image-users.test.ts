import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { usersOfImage } from "./image-users.ts";
import { exampleContainer, exampleSandbox } from "./stats/stats-example.ts";

const store = <T>(...entities: T[]) => ({ index: { all: () => entities } });

describe("the users of an image", () => {
  const process = { pid: 1, startTime: "1" };
  const sandboxes = store(
    exampleSandbox({ id: "pod", infra: { process, monitor: process, imageId: "pause" } }),
    exampleSandbox({ id: "old", infra: { process, monitor: process } }),
    exampleSandbox({ id: "plain" }),
  );
  const containers = store(
    exampleContainer("root", { imageId: "app" }),
    exampleContainer("shows", { imageId: "other", volumeImageIds: ["app"] }),
  );

  it("are the containers that are made of it and those whose volumes show it, the latter first", () => {
    assert.deepEqual(usersOfImage({ containers, sandboxes }, "app"), [
      { id: "shows", as: "volume" },
      { id: "root", as: "root" },
    ]);
  });

  it("are the pods whose pause process is made of it", () => {
    assert.deepEqual(usersOfImage({ containers, sandboxes }, "pause"), [{ id: "pod", as: "root" }]);
    assert.deepEqual(usersOfImage({ containers, sandboxes }, "unknown"), []);
  });
});
