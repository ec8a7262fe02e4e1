import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Logger, silentLogger } from "#observability/logger.ts";
import { hookDirectories } from "./hook-directories.ts";
import type { Hooks } from "./index.ts";

const folder = mkdtempSync(path.join(tmpdir(), "berth-hooks-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let serial = 0;

function newDirectory(): string {
  serial += 1;
  const directory = path.join(folder, `hooks-${serial}`);
  mkdirSync(directory);
  return directory;
}

function writeHook(directory: string, name: string, program: string, stages = ["prestart"]): void {
  const file = { version: "1.0.0", hook: { path: program }, when: { always: true }, stages };
  writeFileSync(path.join(directory, name), JSON.stringify(file));
}

async function programs(hooks: Hooks): Promise<string[]> {
  const found = await hooks.of({ annotations: {}, command: "sh", hasBindMounts: false });
  return (found?.prestart ?? []).map((hook) => hook.path);
}

/** The kernel tells of changes a moment after they were made. */
async function become(hooks: Hooks, expected: readonly string[]): Promise<void> {
  while ((await programs(hooks)).join() !== expected.join()) await delay(5);
}

describe("directories of hooks", () => {
  it("give what fits in the order of file names, and later directories replace by name", async () => {
    const [first, second] = [newDirectory(), newDirectory()];
    writeHook(first, "20-b.json", "/b");
    writeHook(first, "10-a.json", "/a");
    writeHook(second, "20-b.json", "/other-b");
    writeHook(second, "notes.txt", "/no");
    const hooks = hookDirectories([first, second], silentLogger);
    assert.deepEqual(await programs(hooks), ["/a", "/other-b"]);
    hooks.close();
  });

  it("give nothing when they are missing or empty", async () => {
    const hooks = hookDirectories([newDirectory(), path.join(folder, "missing")], silentLogger);
    assert.equal(await hooks.of({ annotations: {}, command: "sh", hasBindMounts: true }), undefined);
    hooks.close();
  });

  it("put a hook of several stages into each", async () => {
    const directory = newDirectory();
    writeHook(directory, "a.json", "/a", ["createRuntime", "poststop"]);
    const hooks = hookDirectories([directory], silentLogger);
    const hook = { path: "/a" };
    const found = await hooks.of({ annotations: {}, command: "sh", hasBindMounts: false });
    assert.deepEqual(found, { createRuntime: [hook], poststop: [hook] });
    hooks.close();
  });

  it("leave out a file that is no hook, and say so", async () => {
    const directory = newDirectory();
    writeHook(directory, "a.json", "/a");
    writeFileSync(path.join(directory, "b.json"), "{");
    const logged: string[] = [];
    const logger: Logger = { ...silentLogger, error: (message) => void logged.push(message) };
    const hooks = hookDirectories([directory], logger);
    assert.deepEqual(await programs(hooks), ["/a"]);
    assert.match(logged.join(), /b\.json cannot be used/);
    hooks.close();
  });

  it("are followed: files that come, change and go, directories that come later and again", async () => {
    const directory = path.join(folder, "late");
    const hooks = hookDirectories([directory], silentLogger);
    assert.deepEqual(await programs(hooks), []);
    mkdirSync(directory);
    writeHook(directory, "a.json", "/a");
    await become(hooks, ["/a"]);
    writeHook(directory, "a.json", "/changed");
    await become(hooks, ["/changed"]);
    rmSync(path.join(directory, "a.json"));
    await become(hooks, []);
    rmSync(directory, { recursive: true });
    await become(hooks, []);
    mkdirSync(directory);
    writeHook(directory, "b.json", "/b");
    await become(hooks, ["/b"]);
    hooks.close();
  });
});
