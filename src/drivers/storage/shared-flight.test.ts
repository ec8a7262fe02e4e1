import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DomainError } from "#errors/domain-error.ts";
import { SharedFlight } from "./shared-flight.ts";

const never = new AbortController().signal;

describe("SharedFlight", () => {
  it("runs work for one key once at a time and gives all callers its result", async () => {
    const flights = new SharedFlight<string, number, never>();
    const gate = Promise.withResolvers<number>();
    let started = 0;
    const join = (): Promise<number> =>
      flights.join("k", { signal: never }, () => {
        started += 1;
        return gate.promise;
      });
    const both = Promise.all([join(), join()]);
    gate.resolve(7);
    assert.deepEqual(await both, [7, 7]);
    assert.equal(await join(), 7);
    assert.equal(started, 2);
  });

  it("tells a late caller the progress so far", async () => {
    const flights = new SharedFlight<string, void, number>();
    const gate = Promise.withResolvers<void>();
    const first = flights.join("k", { signal: never }, async (_signal, report) => {
      report(1);
      await gate.promise;
      report(2);
    });
    const seen: number[] = [];
    const late = flights.join(
      "k",
      { signal: never, onProgress: (progress) => seen.push(progress) },
      () => gate.promise,
    );
    gate.resolve();
    await Promise.all([first, late]);
    assert.deepEqual(seen, [1, 2]);
  });

  it("stops the work when the last caller leaves, and starts afresh for the next", async () => {
    const flights = new SharedFlight<string, string, never>();
    const [a, b] = [new AbortController(), new AbortController()];
    const stops: boolean[] = [];
    const hang = (signal: AbortSignal): Promise<string> =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          stops.push(true);
          reject(new Error("stopped"));
        });
      });
    const first = flights.join("k", { signal: a.signal }, hang);
    const second = flights.join("k", { signal: b.signal }, hang);
    a.abort();
    await assert.rejects(first, { kind: "cancelled" });
    assert.deepEqual(stops, []);
    b.abort();
    await assert.rejects(second, { kind: "cancelled" });
    assert.deepEqual(stops, [true]);
    assert.equal(await flights.join("k", { signal: never }, async () => "afresh"), "afresh");
  });

  it("tells a caller that leaves for a reason of ours that reason", async () => {
    const flights = new SharedFlight<string, string, never>();
    const reason = new DomainError("unavailable", "the daemon is stopping");
    const leaving = new AbortController();
    const joined = flights.join("k", { signal: leaving.signal }, () => new Promise(() => undefined));
    leaving.abort(reason);
    await assert.rejects(joined, reason);
    await assert.rejects(
      flights.join("k", { signal: leaving.signal }, async () => "never"),
      reason,
    );
  });

  it("gives a failure to all callers and forgets it", async () => {
    const flights = new SharedFlight<string, string, never>();
    const fail = (): Promise<string> => Promise.reject(new Error("broken"));
    const both = [flights.join("k", { signal: never }, fail), flights.join("k", { signal: never }, fail)];
    for (const one of both) await assert.rejects(one, { message: "broken" });
    assert.equal(await flights.join("k", { signal: never }, async () => "well"), "well");
  });
});
