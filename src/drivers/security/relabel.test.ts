import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { getXattr, setXattr } from "#kernel/file-metadata.ts";
import { relabelTree } from "./relabel.ts";

// An attribute that needs no SELinux, on a file system that keeps such attributes.
const attribute = "user.berth-test";

describe("relabelling a tree", () => {
  let root = "";

  before(async () => {
    root = await mkdtemp(path.join("/var/tmp", "berth-relabel-"));
    await mkdir(path.join(root, "inner"));
    await writeFile(path.join(root, "inner", "file"), "");
    setXattr(root, "user.probe", Buffer.from("1"));
  });
  after(() => rm(root, { recursive: true }));

  function labelOf(...names: string[]): string {
    return getXattr(path.join(root, ...names), attribute).toString("utf8");
  }

  it("labels everything", async () => {
    await relabelTree({ root, label: "one", attribute });
    for (const names of [[], ["inner"], ["inner", "file"]]) assert.equal(labelOf(...names), "one\0");
  });

  it("walks nothing when the top has the label", async () => {
    setXattr(path.join(root, "inner"), attribute, Buffer.from("changed"));
    await relabelTree({ root, label: "one", attribute });
    assert.equal(labelOf("inner"), "changed");
  });

  it("changes what has another label", async () => {
    await relabelTree({ root, label: "two", attribute });
    assert.equal(labelOf("inner", "file"), "two\0");
  });

  it("leaves a tree alone whose file system has no such labels", async () => {
    await symlink("file", path.join(root, "inner", "link"));
    const link = path.join(root, "inner", "link");
    // The kernel refuses user attributes on symlinks with EPERM, which is a failure and not a missing feature.
    await assert.rejects(relabelTree({ root: link, label: "x", attribute }), { kind: "internal", message: /link/ });
    await relabelTree({ root: "/proc/self/fdinfo", label: "x", attribute });
  });

  it("refuses the directories of the system", async () => {
    for (const system of ["/", "/etc", "/usr"])
      await assert.rejects(relabelTree({ root: system, label: "x", attribute }), { kind: "invalid-argument" });
  });

  it("ends when it is cancelled", async () => {
    await assert.rejects(relabelTree({ root, label: "three", attribute }, AbortSignal.abort()), { kind: "cancelled" });
  });
});
