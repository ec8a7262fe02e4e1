import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { MigrationLock } from "./migration-lock.ts";

const untouched = "-";

describe("the lock on moves between cgroups", () => {
  let folder: string;
  let selfGroups: string;

  /** A group's directory in a hierarchy's mount, with the file that is written to. */
  function group(...names: string[]): string {
    const directory = path.join(folder, ...names);
    mkdirSync(directory, { recursive: true });
    const file = path.join(directory, "cgroup.procs");
    writeFileSync(file, untouched);
    return file;
  }

  /** Moves are expected again while a busy machine has let the time for them pass before the first one. */
  async function taken(lock: MigrationLock, file: string): Promise<void> {
    do {
      lock.expectMoves(50);
      await lock.settled();
    } while (readFileSync(file, "utf8") === untouched);
  }

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "migration-lock-"));
    selfGroups = path.join(folder, "self-cgroup");
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it("is taken by a move of this process to the group that it is in, on version 2", { timeout: 20_000 }, async () => {
    const [own, root] = [group("system.slice", "berth.service"), group()];
    writeFileSync(selfGroups, "0::/system.slice/berth.service\n");
    const lock = new MigrationLock({ version: 2, mountPoints: new Map([["", folder]]) }, selfGroups);
    await taken(lock, own);
    assert.equal(readFileSync(own, "utf8"), String(process.pid));
    assert.equal(readFileSync(root, "utf8"), untouched);
  });

  it("is taken in the first hierarchy that is mounted, on version 1", { timeout: 20_000 }, async () => {
    const [cpu, unified] = [group("cpu", "daemons"), group("unified")];
    writeFileSync(selfGroups, "9:name=systemd:/x\n2:cpuacct,cpu:/daemons\n1:memory:/y\n0::/\n");
    const mountPoints = new Map([
      ["cpu", path.join(folder, "cpu")],
      ["unified", path.join(folder, "unified")],
    ]);
    const lock = new MigrationLock({ version: 1, mountPoints }, selfGroups);
    await taken(lock, cpu);
    assert.equal(readFileSync(cpu, "utf8"), String(process.pid));
    assert.equal(readFileSync(unified, "utf8"), untouched);
  });

  it("is left alone where this process may not be moved", async () => {
    writeFileSync(selfGroups, "0::/gone\n");
    const lock = new MigrationLock({ version: 2, mountPoints: new Map([["", folder]]) }, selfGroups);
    lock.expectMoves(60_000);
    await lock.settled();
    assert.throws(() => readFileSync(path.join(folder, "gone", "cgroup.procs")), { code: "ENOENT" });
  });
});
