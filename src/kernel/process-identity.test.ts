import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pidfdIdentity } from "./pidfd-identity.ts";
import { identify, isAlive } from "./process-identity.ts";
import { spawn } from "./spawn.ts";

describe("the identity of a process", () => {
  it("holds as long as the process lives", async () => {
    const child = await spawn(["/bin/sleep", "60"]);
    const identity = identify(child.pid);
    assert.ok(identity !== undefined);
    assert.match(identity.startTime, /^\d+$/);
    assert.equal(isAlive(identity), true);
    assert.equal(isAlive({ ...identity, startTime: "1" }), false);
    child.kill("SIGKILL");
    await child.exited;
    assert.equal(isAlive(identity), false);
    assert.equal(identify(child.pid), undefined);
  });

  it("is the pidfd's number where /proc is denied", { skip: pidfdsHaveNumbers() ? false : "Linux 6.9" }, async () => {
    const child = await spawn(["/bin/sleep", "60"]);
    const startTime = pidfdIdentity(child.pid);
    assert.ok(startTime !== undefined);
    assert.equal(pidfdIdentity(child.pid), startTime);
    assert.notEqual(pidfdIdentity(process.pid), startTime);
    assert.equal(isAlive({ pid: child.pid, startTime }), true);
    assert.equal(isAlive({ pid: process.pid, startTime }), false);
    child.kill("SIGKILL");
    await child.exited;
    assert.equal(isAlive({ pid: child.pid, startTime }), false);
    assert.equal(pidfdIdentity(child.pid), undefined);
  });
});

function pidfdsHaveNumbers(): boolean {
  try {
    return pidfdIdentity(process.pid) !== undefined;
  } catch {
    return false;
  }
}
