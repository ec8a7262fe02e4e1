import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readable } from "./status.ts";

describe("berth status", () => {
  it("prints a fact a line, nested ones indented, labels as they are", () => {
    const answer = { storage_root: "/r", pid: 7, ip_addresses: ["10.0.0.1"], labels: { a_b: "c" }, empty: {} };
    assert.equal(
      readable(JSON.stringify(answer)),
      "storage root: /r\npid: 7\nip addresses:\n  10.0.0.1\nlabels:\n  a_b: c\nempty:\n",
    );
  });
});
