import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import os from "node:os";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { listThreads, setThreadNice } from "./thread-priority.ts";

describe("the nice value of a thread", () => {
  it("is its own, and not that of others", async () => {
    await stat("/");
    const own = os.getPriority(process.pid);
    const pool = listThreads().filter(({ name }) => name === "libuv-worker");
    assert.ok(pool.length > 0, `there is a thread pool among ${JSON.stringify(listThreads())}`);
    for (const { tid } of pool) setThreadNice(tid, own + 5);
    for (const { tid } of pool) assert.equal(os.getPriority(tid), own + 5);
    assert.equal(os.getPriority(process.pid), own);
  });

  const mayLower = process.getuid?.() === 0;

  it("below zero is not inherited", { skip: mayLower ? false : "only root may lower it" }, async () => {
    setThreadNice(process.pid, -5);
    const { stdout } = await promisify(execFile)("nice");
    assert.equal(stdout.trim(), "0");
    const worker = new Worker("setInterval(() => {}, 1000)", { eval: true, name: "heir" });
    await new Promise((resolve) => worker.once("online", resolve));
    const others = listThreads().filter(({ tid }) => tid !== process.pid);
    assert.ok(!others.some(({ tid }) => os.getPriority(tid) === -5));
    await worker.terminate();
    assert.equal(os.getPriority(process.pid), -5);
  });
});
