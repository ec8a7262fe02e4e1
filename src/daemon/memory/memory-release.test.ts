import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { silentLogger } from "#observability/logger.ts";
import { MemoryRelease, type MemorySteps } from "./memory-release.ts";

const mebibyte = 2 ** 20;
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A process whose memory grows and shrinks by hand. */
function fakeProcess(test: TestContext) {
  test.mock.timers.enable({ apis: ["setTimeout"] });
  const state = {
    residentMiB: 100,
    heapMiB: 30,
    processorMs: 1000,
    failure: undefined as Error | undefined,
  };
  const done: string[] = [];
  let elapsedMs = 0;
  const steps: MemorySteps = {
    elapsedMs: () => elapsedMs,
    residentBytes: () => state.residentMiB * mebibyte,
    heapBytes: () => state.heapMiB * mebibyte,
    collectGarbage() {
      done.push("collect");
      state.heapMiB = 20;
      state.processorMs += 100;
    },
    async dropPages() {
      await Promise.resolve();
      if (state.failure !== undefined) throw state.failure;
      done.push("drop");
      state.residentMiB = 50;
      state.processorMs += 20;
    },
    processorMs: () => state.processorMs,
  };
  /** Half seconds, each with so much work. */
  const pass = async (halfSeconds: number, msEach = 0): Promise<void> => {
    for (let passed = 0; passed < halfSeconds; passed += 1) {
      state.processorMs += msEach;
      elapsedMs += 500;
      test.mock.timers.tick(500);
      await settle();
    }
  };
  const start = (): MemoryRelease => {
    const release = new MemoryRelease(steps, silentLogger);
    test.after(() => release[Symbol.dispose]());
    return release;
  };
  return { state, done, start, pass };
}

describe("a release of memory", () => {
  it("comes at the first quiet second", async (test) => {
    const { done, start, pass } = fakeProcess(test);
    start();
    await pass(1, 100);
    await pass(1);
    assert.deepEqual(done, []);
    await pass(1);
    assert.deepEqual(done, ["collect", "drop"]);
  });

  it("does not come while there is work", async (test) => {
    const { done, start, pass } = fakeProcess(test);
    start();
    await pass(1000, 51);
    assert.deepEqual(done, []);
  });

  it("comes again after work that made the process grow, with garbage collection when the heap has grown", async (test) => {
    const { state, done, start, pass } = fakeProcess(test);
    start();
    await pass(40);
    done.length = 0;
    await pass(5, 500);
    state.residentMiB = 57;
    await pass(25);
    assert.deepEqual(done, []);
    state.residentMiB = 59;
    await pass(5);
    assert.deepEqual(done, ["drop"]);
    await pass(25, 500);
    state.residentMiB = 70;
    state.heapMiB = 28;
    await pass(3);
    assert.deepEqual(done, ["drop", "collect", "drop"]);
  });

  it("comes once more when the daemon has been idle for a while, though it has not grown", async (test) => {
    const { done, start, pass } = fakeProcess(test);
    start();
    await pass(2);
    assert.deepEqual(done, ["collect", "drop"]);
    await pass(15);
    assert.deepEqual(done, ["collect", "drop"]);
    await pass(15);
    assert.deepEqual(done, ["collect", "drop", "drop"]);
    await pass(1000);
    assert.deepEqual(done, ["collect", "drop", "drop"]);
  });

  it("is not repeated within seconds, since what is used all the time comes back at once", async (test) => {
    const { state, done, start, pass } = fakeProcess(test);
    start();
    for (let halfSecond = 0; halfSecond < 60; halfSecond += 1) {
      await pass(1, 10);
      state.residentMiB = 60;
    }
    assert.deepEqual(done, ["collect", "drop", "drop", "drop"]);
    state.processorMs += 1000;
    state.residentMiB = 75;
    await pass(3);
    assert.deepEqual(done, ["collect", "drop", "drop", "drop", "drop"]);
  });

  it("costs little beside the work", async (test) => {
    const { state, done, start, pass } = fakeProcess(test);
    start();
    state.processorMs = 0;
    for (let round = 0; round < 100; round += 1) {
      state.residentMiB = 100;
      state.heapMiB = 30;
      await pass(4, 10);
    }
    // A twentieth of 4000 ms of work is 200, and 250 are free for collections; the last of each goes beyond.
    assert.equal(done.filter((step) => step === "collect").length, 5);
    assert.equal(done.filter((step) => step === "drop").length, 11);
  });

  it("is not tried again where it cannot be done", async (test) => {
    const { state, done, start, pass } = fakeProcess(test);
    state.failure = new Error("no");
    start();
    await pass(2);
    state.failure = undefined;
    state.processorMs += 10_000;
    await pass(10);
    assert.deepEqual(done, ["collect"]);
  });

  it("ends with its owner", async (test) => {
    const { done, start, pass } = fakeProcess(test);
    start()[Symbol.dispose]();
    await pass(10);
    assert.deepEqual(done, []);
  });
});
