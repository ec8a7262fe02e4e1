import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Signal, SignalSchema } from "../gen/runtime/v1/api_pb.ts";
import { signalNameFromWire, signalToWire } from "./signals.ts";

describe("stop signals", () => {
  it("come back as they went for all 66 values", () => {
    const values = SignalSchema.values.map(({ number }) => number as Signal);
    assert.equal(values.length, 66);
    assert.deepEqual(
      values.map((value) => signalToWire(signalNameFromWire(value, "stop_signal"))),
      values,
    );
  });

  it("are spelled as kill(1) spells them", () => {
    assert.equal(signalNameFromWire(Signal.RUNTIME_DEFAULT, "s"), "");
    assert.equal(signalNameFromWire(Signal.SIGUSR1, "s"), "SIGUSR1");
    assert.equal(signalNameFromWire(Signal.SIGRTMAXMINUS14, "s"), "SIGRTMAX-14");
  });

  it("are understood as images write them", () => {
    assert.equal(signalToWire("15"), Signal.SIGTERM);
    assert.equal(signalToWire("quit"), Signal.SIGQUIT);
    assert.equal(signalToWire("RTMIN+3"), Signal.SIGRTMINPLUS3);
    assert.equal(signalToWire("37"), Signal.SIGRTMINPLUS3);
    assert.equal(signalToWire("62"), Signal.SIGRTMAXMINUS2);
    assert.equal(signalToWire("64"), Signal.SIGRTMAX);
    assert.equal(signalToWire("NONSENSE"), Signal.RUNTIME_DEFAULT);
    assert.equal(signalToWire("99"), Signal.RUNTIME_DEFAULT);
  });
});
