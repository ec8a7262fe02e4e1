import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { procNodeStats } from "./proc-node-stats.ts";

const limits = (openFiles: string): string => `Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max open files            ${openFiles.padEnd(20)} 524288               files
`;

describe("descriptors and limits of processes", () => {
  let proc = "";
  before(async () => {
    proc = await mkdtemp(path.join(os.tmpdir(), "berth-proc-"));
    await putProcess("10", ["/dev/null", "socket:[1]", "socket:[2]"], limits("1024"));
    await putProcess("11", ["pipe:[3]"], limits("7"));
    await putProcess("12", [], limits("unlimited"));
  });
  after(() => rm(proc, { recursive: true }));

  async function putProcess(pid: string, descriptors: readonly string[], text: string): Promise<void> {
    await mkdir(path.join(proc, pid, "fd"), { recursive: true });
    for (const [fd, target] of descriptors.entries()) await symlink(target, path.join(proc, pid, "fd", String(fd)));
    await writeFile(path.join(proc, pid, "limits"), text);
  }

  it("are added up, with the first one's limit of open files", async () => {
    assert.deepEqual(await procNodeStats(proc).processUsage([10, 11]), {
      processes: 2,
      fileDescriptors: 4,
      sockets: 2,
      softOpenFilesLimit: 1024,
    });
  });

  it("count nothing for processes that have ended", async () => {
    assert.deepEqual(await procNodeStats(proc).processUsage([99, 11]), {
      processes: 2,
      fileDescriptors: 1,
      sockets: 0,
      softOpenFilesLimit: undefined,
    });
  });

  it("of a process with very many are looked at a few at a time, and leave the thread pool to others", async () => {
    await putProcess(
      "13",
      Array.from({ length: 1000 }, () => "socket:[4]"),
      limits("1048576"),
    );
    let most = 0;
    const look = setInterval(() => {
      most = Math.max(most, process.getActiveResourcesInfo().filter((name) => name === "FSReqPromise").length);
    });
    const { sockets } = await procNodeStats(proc).processUsage([13]);
    clearInterval(look);
    assert.equal(sockets, 1000);
    assert.ok(most < 100, `${most} at a time`);
  });

  it("tell no limit where there is none", async () => {
    assert.equal((await procNodeStats(proc).processUsage([12])).softOpenFilesLimit, undefined);
    assert.equal((await procNodeStats(proc).processUsage([])).softOpenFilesLimit, undefined);
  });

  it("go with what the file system has room for", async () => {
    const capacity = await procNodeStats().filesystemCapacity(proc);
    assert.ok(capacity !== undefined && capacity.totalBytes > 0);
    assert.ok(capacity.inodesFree <= capacity.inodesTotal);
    assert.equal(await procNodeStats().filesystemCapacity(path.join(proc, "missing")), undefined);
  });
});
