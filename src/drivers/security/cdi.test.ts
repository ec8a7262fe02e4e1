import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { parseDeviceName } from "./cdi-spec.ts";
import { CdiFiles } from "./cdi.ts";
import { findDevices } from "./host-devices.ts";

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "berth-cdi-"));
  await mkdir(path.join(directory, "etc"));
  await mkdir(path.join(directory, "run"));
});
afterEach(() => rm(directory, { recursive: true }));

function put(file: string, content: unknown): Promise<void> {
  const text = typeof content === "string" ? content : JSON.stringify(content);
  return writeFile(path.join(directory, file), text);
}

function devices(): CdiFiles {
  const directories = [path.join(directory, "etc"), path.join(directory, "run"), "/no/such/directory"];
  return new CdiFiles(() => directories, findDevices);
}

function spec(kind: string, name: string, env: string) {
  return { cdiVersion: "0.6.0", kind, devices: [{ name, containerEdits: { env: [env] } }] };
}

describe("CDI devices", () => {
  it("give the edits of their file and their own, each file's once", async () => {
    await put("etc/gpu.json", {
      cdiVersion: "0.6.0",
      kind: "vendor.com/gpu",
      containerEdits: { env: ["COMMON=1"], mounts: [{ hostPath: "/lib/gpu", containerPath: "/lib/gpu" }] },
      devices: [
        {
          name: "0",
          containerEdits: {
            deviceNodes: [{ path: "/dev/gpu0", type: "c", major: 195, minor: 0, permissions: "rw" }],
            hooks: [{ hookName: "createContainer", path: "/hook", timeout: 3 }],
          },
        },
        { name: "1", containerEdits: { env: ["GPU=1"], additionalGids: [44, 0], intelRdt: { closID: "c" } } },
      ],
    });
    const edits = await devices().resolve(["vendor.com/gpu=0", "vendor.com/gpu=1", "vendor.com/gpu=0"]);
    assert.deepEqual(edits, {
      env: ["COMMON=1", "GPU=1"],
      mounts: [{ hostPath: "/lib/gpu", containerPath: "/lib/gpu", type: "bind", options: ["rbind", "ro"] }],
      devices: [
        {
          path: "/dev/gpu0",
          type: "c",
          major: 195,
          minor: 0,
          fileMode: undefined,
          uid: undefined,
          gid: undefined,
          permissions: "rw",
        },
      ],
      hooks: [{ hookName: "createContainer", path: "/hook", args: [], env: [], timeoutSeconds: 3 }],
      additionalGids: [44],
      intelRdtClosId: "c",
    });
  });

  it("take from the host what the file leaves out of a node", async () => {
    const node = { path: "/dev/renamed", hostPath: "/dev/zero" };
    await put("etc/z.json", {
      cdiVersion: "0.6.0",
      kind: "vendor.com/zero",
      devices: [{ name: "a", containerEdits: { deviceNodes: [node] } }],
    });
    const [found] = (await devices().resolve(["vendor.com/zero=a"])).devices;
    assert.deepEqual([found?.path, found?.type, found?.major, found?.minor], ["/dev/renamed", "c", 1, 5]);
  });

  it("of a later directory replace those of an earlier one", async () => {
    await put("etc/a.json", spec("v.com/x", "0", "FROM=etc"));
    await put("run/b.json", spec("v.com/x", "0", "FROM=run"));
    assert.deepEqual((await devices().resolve(["v.com/x=0"])).env, ["FROM=run"]);
  });

  it("can be written as YAML", async () => {
    await put(
      "etc/a.yaml",
      "cdiVersion: 0.6.0\nkind: v.com/x\ndevices:\n- name: '0'\n  containerEdits:\n    env: [FROM=yaml]\n",
    );
    assert.deepEqual((await devices().resolve(["v.com/x=0"])).env, ["FROM=yaml"]);
  });

  it("that two files of one directory define cannot be used", async () => {
    await put("run/a.json", spec("v.com/x", "0", "FROM=a"));
    await put("run/b.json", spec("v.com/x", "0", "FROM=b"));
    await assert.rejects(devices().resolve(["v.com/x=0"]), {
      kind: "failed-precondition",
      message: /a\.json and .*b\.json/,
    });
  });

  it("of a file written a moment ago are found", async () => {
    const files = devices();
    await files.refresh();
    await put("run/new.json", spec("v.com/x", "0", "NEW=1"));
    assert.deepEqual((await files.resolve(["v.com/x=0"])).env, ["NEW=1"]);
  });

  it("are what their file says now, also when it said something else before", async () => {
    const files = devices();
    await put("etc/gpu.json", spec("v.com/x", "0", "DRIVER=1"));
    assert.deepEqual((await files.resolve(["v.com/x=0"])).env, ["DRIVER=1"]);
    await put("etc/gpu.json", spec("v.com/x", "0", "DRIVER=10"));
    assert.deepEqual((await files.resolve(["v.com/x=0"])).env, ["DRIVER=10"]);
    await put("run/gpu.json", spec("v.com/x", "0", "DRIVER=run"));
    assert.deepEqual((await files.resolve(["v.com/x=0"])).env, ["DRIVER=run"]);
  });

  it("come from the directories that are configured now", async () => {
    await put("etc/gpu.json", spec("v.com/x", "0", "FROM=etc"));
    await put("run/gpu.json", spec("v.com/x", "0", "FROM=run"));
    let directories = [path.join(directory, "etc")];
    const files = new CdiFiles(() => directories, findDevices);
    assert.deepEqual((await files.resolve(["v.com/x=0"])).env, ["FROM=etc"]);
    directories = [path.join(directory, "run")];
    assert.deepEqual((await files.resolve(["v.com/x=0"])).env, ["FROM=run"]);
  });

  it("that nothing defines are an error which names the unusable files", async () => {
    await put("etc/broken.json", "{");
    await put("etc/kind.json", { cdiVersion: "0.6.0", kind: "nothing", devices: [] });
    await put("etc/node.json", {
      cdiVersion: "0.6.0",
      kind: "v.com/x",
      devices: [{ name: "0", containerEdits: { deviceNodes: [{}] } }],
    });
    const files = devices();
    await assert.rejects(files.resolve(["v.com/x=0"]), {
      kind: "not-found",
      message: /broken\.json cannot be used.*kind is not of the form.*an entry of deviceNodes has no path/,
    });
    assert.equal(files.problems().length, 3);
  });

  for (const name of ["gpu", "vendor.com/gpu", "vendor.com=0", "vendor.com/gpu=", "/gpu=0", "vendor.com/gpu=-x"])
    it(`cannot be named ${JSON.stringify(name)}`, () => {
      assert.throws(() => parseDeviceName(name), { kind: "invalid-argument" });
    });
});
