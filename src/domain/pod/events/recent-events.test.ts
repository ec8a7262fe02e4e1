import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ContainerEvent } from "#domain/runtime.ts";
import { RecentEvents } from "./recent-events.ts";

function event(containerId: string): ContainerEvent {
  return { containerId, type: "created", createdAtNs: "0", sandbox: undefined, containers: [] };
}

describe("recent events", () => {
  const ids = (recent: RecentEvents, nowMs: number): string[] =>
    recent.all(nowMs).map(({ containerId }) => containerId);

  it("are the last ones, as many as there is room for", () => {
    const recent = new RecentEvents(2, 1000);
    for (const id of ["a", "b", "c"]) recent.add(event(id), 0);
    assert.deepEqual(ids(recent, 0), ["b", "c"]);
  });

  it("are forgotten when they are old", () => {
    const recent = new RecentEvents(10, 1000);
    recent.add(event("a"), 0);
    recent.add(event("b"), 900);
    assert.deepEqual(ids(recent, 1000), ["a", "b"]);
    assert.deepEqual(ids(recent, 1001), ["b"]);
    recent.add(event("c"), 5000);
    assert.deepEqual(ids(recent, 5000), ["c"]);
  });

  it("are none when there is no room for any", () => {
    const recent = new RecentEvents(0, 1000);
    recent.add(event("a"), 0);
    assert.deepEqual(ids(recent, 0), []);
  });
});
