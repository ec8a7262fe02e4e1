import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ContainerState, ContainerStateSchema } from "#cri/gen/runtime/v1/api_pb.ts";
import { age, bytes, elapsed, enumWord, shortId } from "./readable.ts";
import { table } from "./table.ts";

describe("what people read", () => {
  it("says how long ago a time was in the largest unit that fits", () => {
    const nowMs = 1_700_000_000_000;
    const ago = (seconds: number): string => age(BigInt(nowMs - seconds * 1000) * 1_000_000n, nowMs);
    assert.deepEqual([0, 59, 60, 3599, 3600, 47 * 3600, 49 * 3600].map(ago), [
      "0s ago",
      "59s ago",
      "1m ago",
      "59m ago",
      "1h ago",
      "47h ago",
      "2d ago",
    ]);
    assert.equal(age(0n, nowMs), "-");
  });

  it("writes sizes with three digits", () => {
    assert.deepEqual([0, 512, 1000, 1_982_256, 24_500_000_000n].map(bytes), ["0B", "512B", "1kB", "1.98MB", "24.5GB"]);
  });

  it("writes durations in one or two units", () => {
    assert.deepEqual([87, 2400, 192_000].map(elapsed), ["87ms", "2.4s", "3m12s"]);
  });

  it("cuts ids and digests to the same length", () => {
    assert.equal(shortId("0123456789abcdef"), "0123456789abc");
    assert.equal(shortId("sha256:0123456789abcdef"), "0123456789abc");
  });

  it("names an enum's value by its own word", () => {
    assert.equal(enumWord(ContainerStateSchema, ContainerState.CONTAINER_RUNNING, "CONTAINER_"), "Running");
    assert.equal(enumWord(ContainerStateSchema, 99, "CONTAINER_"), "99");
  });

  it("aligns the columns of a table and leaves no blanks at the ends of lines", () => {
    assert.equal(table(["ID", "NAME"], [["abc", "x"], ["d"]]), "ID    NAME\nabc   x\nd\n");
  });
});
