import assert from "node:assert/strict";
import { it } from "node:test";
import { KernelThread } from "./kernel-thread.ts";
import { spawn } from "./spawn.ts";

it("the end of a process is not taken for that of another, whose descriptor has the number of its own", async () => {
  const thread = new KernelThread();
  const living = await spawn(["/bin/sleep", "1000"]);
  try {
    await thread.watchExit((await spawn(["/bin/true"])).pid).exited;
    const ended = await spawn(["/bin/true"]);
    await ended.exited;
    const before = thread.watchExit(ended.pid);
    // Until the thread has told of it, which nobody here has heard.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    before.close();
    const watch = thread.watchExit(living.pid);
    let isOver = false;
    void watch.exited.then(() => (isOver = true));
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isOver, false);
    living.kill("SIGKILL");
    await watch.exited;
  } finally {
    living.kill("SIGKILL");
    await thread.close();
  }
});
