import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { QuietTimer } from "./quiet-timer.ts";

describe("a quiet timer", () => {
  it("calls back once, after silence alone", (test) => {
    test.mock.timers.enable({ apis: ["setTimeout"] });
    let calls = 0;
    const timer = new QuietTimer(
      () => false,
      () => (calls += 1),
    );
    timer.touch();
    test.mock.timers.tick(1000);
    assert.equal(calls, 0, "it was not started");
    timer.start(100);
    test.mock.timers.tick(99);
    assert.equal(calls, 0);
    test.mock.timers.tick(1);
    assert.equal(calls, 1);
    timer.start(100);
    test.mock.timers.tick(1000);
    assert.equal(calls, 1);
  });

  it("does not take waiting for a slow client for silence, but has a limit", (test) => {
    test.mock.timers.enable({ apis: ["setTimeout"] });
    let calls = 0;
    const timer = new QuietTimer(
      () => true,
      () => (calls += 1),
    );
    timer.start(100, 1000);
    test.mock.timers.tick(999);
    assert.equal(calls, 0);
    test.mock.timers.tick(1);
    assert.equal(calls, 1);
  });

  it("is stopped for good", (test) => {
    test.mock.timers.enable({ apis: ["setTimeout"] });
    const timer = new QuietTimer(
      () => false,
      () => assert.fail("called back"),
    );
    timer.start(100, 200);
    timer.stop();
    timer.start(100);
    test.mock.timers.tick(1000);
  });
});
