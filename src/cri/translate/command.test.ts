import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { commandFromWire } from "./command.ts";

describe("a command of Exec and ExecSync", () => {
  it("names at least a program, and no argument has a NUL character", () => {
    assert.deepEqual(commandFromWire(["echo", ""]), ["echo", ""]);
    assert.throws(() => commandFromWire([]), { kind: "invalid-argument", message: "cmd is missing" });
    assert.throws(() => commandFromWire(["echo", "a\0b"]), {
      kind: "invalid-argument",
      message: 'cmd[1] contains a NUL character: "a\\u0000b"',
    });
  });
});
