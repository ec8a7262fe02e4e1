import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { adoptOrphans, childExit, exitCodeOf, onOrphanExit } from "./child-exits.ts";
import { run, spawn } from "./spawn.ts";

describe("a child process", () => {
  it("tells its exit code", async () => {
    const child = await spawn(["/bin/sh", "-c", "exit 7"]);
    assert.deepEqual(await child.exited, { exitCode: 7, signal: undefined });
  });

  it("tells the signal that ended it", async () => {
    const child = await spawn(["/bin/sleep", "60"]);
    child.kill("SIGTERM");
    const status = await child.exited;
    assert.deepEqual(status, { exitCode: undefined, signal: "SIGTERM" });
    assert.equal(exitCodeOf(status), 143);
    // Nothing is signalled then, whoever has the pid by now.
    child.kill("SIGKILL");
  });

  it("that cannot be executed is an error with the errno", async () => {
    await assert.rejects(spawn(["/no/such/program"]), { code: "ENOENT", syscall: "posix_spawn" });
  });

  it("begins with no signal ignored or blocked", async () => {
    const { stdout } = await run(["/bin/grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]);
    assert.equal(stdout.toString(), `SigBlk:\t${"0".repeat(16)}\nSigIgn:\t${"0".repeat(16)}\n`);
  });

  it("is told from many that end at the same time", async () => {
    await manyTellTheirOwn();
  });

  it("leaves no zombie", async () => {
    const child = await spawn(["/bin/true"]);
    await child.exited;
    while (existsSync(`/proc/${child.pid}`)) await pause(5);
  });

  it("that has just ended is not taken away with those that ended long before", async () => {
    await eachHasItsTime();
  });
});

// The last ones here, since adopting cannot be undone.
describe("an adopted process", () => {
  before(adoptOrphans);

  it("is not taken away with those that ended long before, where all children are", async () => {
    await eachHasItsTime();
  });

  it("does not take the place of a child that ends before its pid is known", async () => {
    await manyTellTheirOwn();
  });

  it("tells its exit code to those who listen", async () => {
    const ended = new Map<number, number>();
    const { promise: told, resolve } = Promise.withResolvers<void>();
    using _ = listen((pid, code) => {
      ended.set(pid, code);
      resolve();
    });
    const { stdout } = await run(["/bin/sh", "-c", "(sleep 0.05; exit 9) >/dev/null & echo $!"]);
    await told;
    assert.deepEqual([...ended], [[Number(stdout.toString()), 9]]);
  });

  it("does not keep those waiting that ended with it, one after the other", async () => {
    const count = 12;
    let told = 0;
    using _ = listen(() => (told += 1));
    await run(["/bin/sh", "-c", `for i in $(seq ${count}); do sleep 0.05 >/dev/null & done`]);
    const later = await spawn(["/bin/sleep", "2"]);
    await later.exited;
    assert.equal(told, count);
  });

  it("tells its exit code to the one who awaits it, and to nobody else", async () => {
    const others: number[] = [];
    using _ = listen((pid) => others.push(pid));
    const { stdout } = await run(["/bin/sh", "-c", "(sleep 0.05; exit 9) >/dev/null & echo $!"]);
    const pid = Number(stdout.toString());
    assert.equal(exitCodeOf(await childExit(pid)), 9);
    while (existsSync(`/proc/${pid}`)) await pause(5);
    assert.deepEqual(others, []);
  });
});

async function eachHasItsTime(): Promise<void> {
  const [early, late] = [await spawn(["/bin/true"]), await spawn(["/bin/sleep", "0.3"])];
  await Promise.all([early.exited, late.exited]);
  while (existsSync(`/proc/${early.pid}`)) await pause(5);
  assert.ok(existsSync(`/proc/${late.pid}`), "both were taken away at once");
  while (existsSync(`/proc/${late.pid}`)) await pause(5);
}

async function manyTellTheirOwn(): Promise<void> {
  const codes = Array.from({ length: 60 }, (_, index) => index);
  const seen = await Promise.all(
    codes.map(async (code) => {
      const child = await spawn(["/bin/sh", "-c", `exit ${code}`]);
      return (await child.exited).exitCode;
    }),
  );
  assert.deepEqual(seen, codes);
}

function listen(listener: (pid: number, exitCode: number) => void): Disposable {
  const stop = onOrphanExit((pid, status) => listener(pid, exitCodeOf(status)));
  return { [Symbol.dispose]: () => stop() };
}
