import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { takeExclusively } from "./exclusive.ts";

describe("taking a place for oneself", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "berth-exclusive-"));
  after(() => rmSync(folder, { recursive: true }));
  const socket = { name: "the socket /x.sock", lockFile: path.join(folder, "deep", "x.sock.lock") };

  it("makes others wait for nothing: they are told who has it, until that one gives it back", async () => {
    const first = new AsyncDisposableStack();
    await takeExclusively([socket], first);
    await using others = new AsyncDisposableStack();
    await assert.rejects(takeExclusively([socket], others), {
      kind: "already-exists",
      message: `another daemon, process ${process.pid}, uses the socket /x.sock (it has the lock ${socket.lockFile})`,
    });
    await first.disposeAsync();
    await takeExclusively([socket], others);
  });

  it("lets one of many that ask at once have it", async () => {
    const place = { name: "it", lockFile: path.join(folder, "many.lock") };
    await using undo = new AsyncDisposableStack();
    const asked = Array.from({ length: 20 }, () => takeExclusively([place], undo));
    const outcomes = await Promise.allSettled(asked);
    assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
  });

  it("is given up by a process that is killed", async () => {
    const lockFile = path.join(folder, "killed.lock");
    const module = path.join(import.meta.dirname, "exclusive.ts");
    const script = `
      import { takeExclusively } from ${JSON.stringify(module)};
      await takeExclusively([{ name: "it", lockFile: ${JSON.stringify(lockFile)} }], new AsyncDisposableStack());
      console.log("taken");
      setInterval(() => {}, 1000);
    `;
    writeFileSync(path.join(folder, "holder.ts"), script);
    const holder = spawn(process.execPath, [path.join(folder, "holder.ts")], { stdio: ["ignore", "pipe", "inherit"] });
    await once(holder.stdout, "data");
    await using undo = new AsyncDisposableStack();
    const take = () => takeExclusively([{ name: "it", lockFile }], undo);
    await assert.rejects(take(), { message: new RegExp(`process ${holder.pid},`) });
    holder.kill("SIGKILL");
    await once(holder, "exit");
    await take();
  });
});
