import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { identify } from "#kernel/process-identity.ts";
import { killNoted, noteProcess } from "#kernel/process-note.ts";

describe("the note of a process", () => {
  let directory: string;
  let file: string;
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), "berth-note-"));
    file = path.join(directory, "process");
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it("lets somebody else kill it, and no later process with its pid", async () => {
    const child = spawn("sleep", ["600"]);
    const identity = identify(child.pid ?? 0);
    assert.ok(identity !== undefined);
    await noteProcess(file, { ...identity, startTime: "1" });
    await killNoted(file);
    assert.deepEqual(identify(identity.pid), identity);
    await noteProcess(file, identity);
    const exit = once(child, "exit");
    await killNoted(file);
    assert.deepEqual(await exit, [null, "SIGKILL"]);
    await killNoted(file);
  });

  it("ends nobody when it is missing, of no process, or cut off", async () => {
    const child = spawn("sleep", ["600"]);
    const exit = once(child, "exit");
    const identity = identify(child.pid ?? 0);
    await killNoted(file);
    await noteProcess(file, undefined);
    await killNoted(file);
    writeFileSync(file, JSON.stringify(identity).slice(0, -1));
    await killNoted(file);
    assert.deepEqual(identify(child.pid ?? 0), identity);
    child.kill();
    await exit;
  });
});
