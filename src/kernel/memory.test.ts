import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";

const program = path.resolve(import.meta.dirname, "../../test/support/memory-activity-child.ts");

describe("giving memory back", () => {
  it("harms nothing that runs meanwhile", async () => {
    const child = spawn(process.execPath, ["--expose-gc", program], { stdio: ["ignore", "pipe", "pipe"] });
    const [stdout, stderr, [code, signal]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "close"),
    ]);
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, stderr);
    assert.equal(stdout, "dropped 20 times of 20\n");
  });
});
