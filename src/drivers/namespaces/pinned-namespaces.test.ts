import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { it } from "node:test";
import type { KernelThread } from "#kernel/kernel-thread.ts";
import { pinnedNamespaces } from "./pinned-namespaces.ts";

it("namespaces are pinned again once what was in the way of their directories is gone", async () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), "berth-pins-"));
  try {
    writeFileSync(path.join(directory, "netns"), "in the way");
    const thread = { makeNamespaces: async () => {} } as unknown as KernelThread;
    const namespaces = pinnedNamespaces(directory, thread);
    await assert.rejects(namespaces.pin("pod", ["net"], { sysctls: {} }), /EEXIST/);
    rmSync(path.join(directory, "netns"));
    assert.deepEqual(await namespaces.pin("pod", ["net"], { sysctls: {} }), { net: `${directory}/netns/pod` });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
