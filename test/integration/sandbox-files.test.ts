import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { sandboxDirectories } from "#drivers/sandbox-files/sandbox-directory.ts";
import { smallFilesIn } from "#kernel/small-files.ts";
import { mountsBelow } from "../support/footprint.ts";

describe("files of sandboxes", { skip: process.getuid?.() === 0 ? false : "needs root" }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), "berth-sandbox-files-"));
  const [directory, shmDirectory] = [path.join(folder, "sandboxes"), path.join(folder, "shm")];
  const store = sandboxDirectories(
    { directory, shmDirectory, hostResolvConf: "/etc/resolv.conf" },
    smallFilesIn(folder),
  );
  after(() => {
    for (const place of mountsBelow(folder).reverse()) execFileSync("umount", [place]);
    rmSync(folder, { recursive: true });
  });

  it("are removed with the shared memory", async () => {
    const content = { resolvConf: "", hostname: "here", shmSizeBytes: 1 << 20, mountLabel: "" };
    const { shm = "" } = await store.create("pod", content);
    assert.deepEqual(mountsBelow(folder), [shm]);
    assert.deepEqual(await store.ids(), ["pod"]);
    await store.remove("pod");
    assert.deepEqual(mountsBelow(folder), []);
    assert.deepEqual([...readdirSync(directory), ...readdirSync(shmDirectory)], []);
  });

  it("are removed, too, where an earlier version has mounted the shared memory beside them", async () => {
    const shm = path.join(directory, "earlier/shm");
    mkdirSync(shm, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "shm", shm]);
    await store.remove("earlier");
    assert.deepEqual(mountsBelow(folder), []);
    assert.equal(existsSync(path.dirname(shm)), false);
  });
});
