import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { run } from "./spawn.ts";

const openFiles = (): number => readdirSync("/proc/self/fd").length;

for (const pipes of [false, true]) {
  describe(`a command run to its end, by ${pipes ? "pipes" : "memory files"}`, () => {
    it("gets input and gives back output that no pipe could hold at once", async () => {
      const input = "x".repeat(3_000_000);
      const { stdout, exitCode } = await run(["/bin/cat"], { input, maxOutputBytes: 4 << 20, pipes });
      assert.equal(exitCode, 0);
      assert.ok(stdout.equals(Buffer.from(input)));
    });

    it("keeps standard error apart, and no more of it than was asked for", async () => {
      const argv = ["/bin/sh", "-c", "echo out; echo error >&2"];
      const { stdout, stderr } = await run(argv, { maxOutputBytes: 4, pipes });
      assert.deepEqual([stdout.toString(), stderr.toString()], ["out\n", "erro"]);
    });

    it("may leave its input unread and a grandchild behind, and nothing stays open", async () => {
      const before = openFiles();
      const argv = ["/bin/sh", "-c", "exec 0</dev/null; sleep 60 & echo $!"];
      const { stdout } = await run(argv, { input: "x".repeat(1_000_000), pipes });
      process.kill(Number(stdout.toString()), "SIGKILL");
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(openFiles(), before);
    });

    it("that cannot be started leaves nothing open", async () => {
      const before = openFiles();
      await assert.rejects(run(["/nonexistent"], { input: "x", pipes }), { code: "ENOENT" });
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(openFiles(), before);
    });
  });
}
