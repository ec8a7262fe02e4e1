import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { descendants } from "#kernel/process-tree.ts";
import { spawn } from "#kernel/spawn.ts";
import { countDefunctProcesses } from "./defunct.ts";

describe("defunct processes", () => {
  it("are those that have ended and whose parent does not wait for them", async () => {
    // The program that the shell becomes knows nothing of the shell's child.
    const parent = await spawn(["/bin/sh", "-c", "true & exec sleep 60"]);
    try {
      while ((await countDefunctProcesses(descendants(parent.pid))) !== 1) await delay(5);
      assert.equal(await countDefunctProcesses([parent.pid]), 0);
    } finally {
      parent.kill("SIGKILL");
      await parent.exited;
    }
  });

  it("are counted on the whole machine, in which some may end meanwhile", async () => {
    assert.ok(Number.isInteger(await countDefunctProcesses()));
    assert.equal(await countDefunctProcesses([4_194_305]), 0);
  });
});
