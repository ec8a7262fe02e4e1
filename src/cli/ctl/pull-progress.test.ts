import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LayerState } from "#cri/gen/berth/v1/progress_pb.ts";
import { layerLine } from "./pull-progress.ts";

const layer = `sha256:${"a1b2c3d4".repeat(8)}`;

describe("the progress of a layer", () => {
  it("is a bar that fills with the bytes", () => {
    const line = layerLine({ layer, doneBytes: 500_000n, totalBytes: 1_000_000n, state: LayerState.FETCHING }, 60);
    assert.equal(line, "a1b2c3d4a1b2c [===========>            ] 500kB/1MB fetching");
  });

  it("is a full bar once the layer is there, whatever the bytes", () => {
    const line = layerLine({ layer, doneBytes: 0n, totalBytes: 1_000_000n, state: LayerState.EXISTS }, 60);
    assert.match(line, /^a1b2c3d4a1b2c \[=+\] 1MB exists$/);
  });

  it("never gets wider than the terminal", () => {
    const state = LayerState.FETCHING;
    for (const width of [10, 30, 80, 200]) {
      assert.ok(layerLine({ layer, doneBytes: 5n, totalBytes: 0n, state }, width).length <= width);
    }
  });
});
