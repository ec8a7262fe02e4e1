import assert from "node:assert/strict";
import { existsSync, mkdtempSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { it } from "node:test";
import { cgroupfsCgroups } from "./cgroupfs.ts";

it("a pod's own group is made once, in a parent that is there, and goes", async () => {
  const root = mkdtempSync(path.join(tmpdir(), "berth-groups-"));
  const cgroups = cgroupfsCgroups({ monitorCgroup: () => "" }, { version: 2, mountPoints: new Map([["", root]]) });
  try {
    await assert.rejects(cgroups.makePodGroup("/pod", "a"), { code: "ENOENT" });
    mkdirSync(path.join(root, "pod"));
    const group = path.join(root, "pod", "crio-a");
    for (const expected of [true, true]) {
      await cgroups.makePodGroup("/pod", "a");
      assert.equal(existsSync(group), expected);
    }
    for (const expected of [false, false]) {
      await cgroups.removePodGroup("/pod", "a");
      assert.equal(existsSync(group), expected);
    }
  } finally {
    cgroups.close();
    rmSync(root, { recursive: true });
  }
});
