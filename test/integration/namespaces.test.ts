import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, afterEach, describe, it } from "node:test";
import { pinnedNamespaces } from "#drivers/namespaces/pinned-namespaces.ts";
import { KernelThread } from "#kernel/kernel-thread.ts";

describe("pinned namespaces", { skip: process.getuid?.() === 0 ? false : "needs root" }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), "berth-namespaces-"));
  const thread = new KernelThread();
  const namespaces = pinnedNamespaces(folder, thread);
  afterEach(() => namespaces.unpin("pod"));
  after(async () => {
    await thread.close();
    rmSync(folder, { recursive: true });
  });

  it("are there until they are unpinned", async () => {
    const pins = await namespaces.pin("pod", ["net", "uts"], { hostname: "here", sysctls: {} });
    assert.deepEqual(Object.keys(pins), ["net", "uts"]);
    for (const pin of Object.values(pins)) assert.ok(await namespaces.isPinned(pin));
    assert.deepEqual(await namespaces.pinned(), ["pod"]);
    await namespaces.unpin("pod");
    assert.deepEqual(await namespaces.pinned(), []);
  });

  it("that cannot be made leave nothing, and those alone that the sandbox has already", async () => {
    const { net = "" } = await namespaces.pin("pod", ["net"], { sysctls: {} });
    const sysctls = { "kernel.sem": "nonsense" };
    await assert.rejects(namespaces.pin("pod", ["uts", "ipc"], { hostname: "here", sysctls }), {
      kind: "invalid-argument",
      message: /kernel\.sem/,
    });
    assert.ok(await namespaces.isPinned(net));
    for (const kind of ["uts", "ipc"])
      assert.equal(await namespaces.isPinned(path.join(folder, `${kind}ns/pod`)), false);
  });
});
