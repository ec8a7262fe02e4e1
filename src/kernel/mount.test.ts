import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { unmountOffThread } from "./mount.ts";

describe("unmounting off the thread", () => {
  it("is done for as many mounts at once as a node has containers", async () => {
    const places = Array.from({ length: 2000 }, (_, index) => `/no/such/place/${index}`);
    const unmounted = await Promise.all(places.map((place) => unmountOffThread(place)));
    assert.deepEqual(new Set(unmounted), new Set([false]));
  });
});
