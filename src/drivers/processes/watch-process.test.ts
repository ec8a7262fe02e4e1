import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { KernelThread } from "#kernel/kernel-thread.ts";
import { identify } from "#kernel/process-identity.ts";
import { type ChildProcess, spawn } from "#kernel/spawn.ts";
import { withoutDescriptors } from "#kernel/without-descriptors.ts";
import { silentLogger } from "#observability/logger.ts";
import type { ProcessRef, ProcessWatch } from "./index.ts";
import { watchProcess } from "./watch-process.ts";

describe("a process that is watched", () => {
  let thread: KernelThread;
  let child: ChildProcess;
  let living: ProcessRef;

  beforeEach(async () => {
    thread = new KernelThread();
    child = await spawn(["/bin/sleep", "1000"]);
    const process = identify(child.pid);
    assert.ok(process);
    living = process;
  });
  afterEach(async () => {
    child.kill("SIGKILL");
    await child.exited;
    await thread.close();
  });

  const watch = (process = living, from: Pick<KernelThread, "watchExit"> = thread): ProcessWatch =>
    watchProcess(from, process, silentLogger, 1);

  async function isOver({ exited }: ProcessWatch): Promise<boolean> {
    let over = false;
    void exited.then(() => (over = true));
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    return over;
  }

  it("is over when it ends, and at once when it has another's pid", async () => {
    const watched = watch();
    assert.equal(await isOver(watched), false);
    await watch({ ...living, startTime: "1" }).exited;
    child.kill("SIGKILL");
    await watched.exited;
  });

  it("is not taken for ended for want of descriptors, and is watched once there are some", async () => {
    const watched = withoutDescriptors(() => watch());
    assert.equal(await isOver(watched), false);
    child.kill("SIGKILL");
    await watched.exited;
  });

  it("is watched as well when descriptors run out between its pidfd and the look at it", async () => {
    let opened = 0;
    let closed = 0;
    const watched = withoutDescriptors(() =>
      watch(living, {
        watchExit() {
          opened += 1;
          return { exited: Promise.withResolvers<void>().promise, close: () => (closed += 1) };
        },
      }),
    );
    assert.deepEqual([opened, closed], [1, 1]);
    assert.equal(await isOver(watched), false);
    watched.close();
  });

  it("is given up also while it could not be watched yet", async () => {
    let attempts = 0;
    const third = Promise.withResolvers<void>();
    const watched = watch(living, {
      watchExit() {
        attempts += 1;
        if (attempts === 3) third.resolve();
        throw Object.assign(new Error("too many open files"), { code: "EMFILE" });
      },
    });
    await third.promise;
    watched.close();
    const before = attempts;
    assert.equal(await isOver(watched), false);
    assert.equal(attempts, before);
  });

  it("is refused where nobody may watch it", () => {
    const denied = (): never => {
      throw Object.assign(new Error("not permitted"), { code: "EPERM" });
    };
    assert.throws(() => watch(living, { watchExit: denied }), /not permitted/);
  });
});
