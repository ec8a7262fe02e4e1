import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { parseMountInfo } from "#kernel/mount.ts";
import { deviceNumbers, findDevices, listHostDevices } from "./host-devices.ts";
import { findMountSource, type MountSourceOptions, placeOf } from "./mount-source.ts";
import { readSeccompFile } from "./seccomp-file.ts";

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "berth-host-"));
});
afterEach(() => rm(directory, { recursive: true }));

function below(...names: string[]): string {
  return path.join(directory, ...names);
}

const options: MountSourceOptions = { bindMountPrefix: "", absentMountSourcesToReject: [] };

describe("the source of a bind mount", () => {
  const find = (hostPath: string, changes: Partial<MountSourceOptions> = {}) =>
    findMountSource({ hostPath, propagation: "private" }, { ...options, ...changes });

  it("is resolved through symlinks", async () => {
    await writeFile(below("file"), "");
    await symlink("file", below("link"));
    const { path: resolved, isDirectory } = await find(below("link"));
    assert.deepEqual([resolved, isDirectory], [below("file"), false]);
  });

  it("is made as a directory when it is missing", async () => {
    assert.equal((await find(below("a", "b"))).isDirectory, true);
    assert.equal((await stat(below("a", "b"))).mode & 0o777, 0o755);
  });

  it("is an error when it is missing and must not be made", async () => {
    const changes = { absentMountSourcesToReject: [below("gone")] };
    await assert.rejects(find(below("gone"), changes), {
      kind: "not-found",
      message: /absent_mount_sources_to_reject/,
    });
    assert.deepEqual(await readdir(directory), []);
  });

  it("is looked up below the prefix", async () => {
    assert.equal((await find("/data", { bindMountPrefix: directory })).path, below("data"));
  });

  it("is an error for symlinks in a circle, dangling ones, and paths through files", async () => {
    await symlink("two", below("one"));
    await symlink("one", below("two"));
    await symlink("nowhere", below("dangling"));
    await writeFile(below("file"), "");
    await assert.rejects(find(below("one")), { kind: "invalid-argument", message: /circle/ });
    await assert.rejects(find(below("dangling")), { kind: "invalid-argument", message: /symlink to something/ });
    await assert.rejects(find(below("file", "inner")), {
      kind: "invalid-argument",
      message: /a part of the path is a file/,
    });
    await assert.rejects(find("relative"), { kind: "invalid-argument", message: /no absolute path/ });
    assert.deepEqual((await readdir(directory)).sort(), ["dangling", "file", "one", "two"]);
  });

  it("tells the propagation of the mount it is on", () => {
    const mounts = parseMountInfo(
      [
        "1 0 8:1 / / rw shared:1 - ext4 /dev/sda rw",
        "2 1 8:2 / /srv rw - ext4 /dev/sdb rw",
        "3 2 8:3 / /srv/data rw master:1 - ext4 /dev/sdc rw",
        "4 2 8:4 / /srv/data rw shared:7 master:1 - ext4 /dev/sdd rw",
      ].join("\n"),
    );
    assert.deepEqual(placeOf("/home", mounts), { mountPoint: "/", propagation: "shared" });
    assert.deepEqual(placeOf("/srv", mounts), { mountPoint: "/srv", propagation: "private" });
    assert.deepEqual(placeOf("/srv/database", mounts), { mountPoint: "/srv", propagation: "private" });
    assert.deepEqual(placeOf("/srv/data/x", mounts), { mountPoint: "/srv/data", propagation: "shared" });
    assert.deepEqual(placeOf("/srv/data/x", mounts.slice(0, 3)), { mountPoint: "/srv/data", propagation: "slave" });
  });
});

describe("host devices", () => {
  it("are the nodes of /dev, without terminals, symlinks and directories", async () => {
    const devices = await listHostDevices("/dev");
    const paths = devices.map((device) => device.path);
    assert.ok(paths.includes("/dev/null"));
    for (const absent of ["/dev/stdin", "/dev/shm", "/dev/console"]) assert.equal(paths.includes(absent), false);
    assert.equal(
      paths.some((one) => one.startsWith("/dev/pts/")),
      false,
    );
  });

  it("can be one node, by a symlink too, or all below a directory", async () => {
    const [zero] = await findDevices("/dev/zero");
    assert.deepEqual([zero?.type, zero?.major, zero?.minor], ["c", 1, 5]);
    await symlink("/dev/zero", below("zero"));
    assert.deepEqual(
      (await findDevices(below("zero"))).map((device) => [device.path, device.minor]),
      [[below("zero"), 5]],
    );
    await mkdir(below("empty"));
    assert.deepEqual(await findDevices(below("empty")), []);
  });

  it("are an error when missing or something else", async () => {
    await writeFile(below("file"), "");
    await symlink("circle", below("circle"));
    await assert.rejects(findDevices(below("gone")), { kind: "not-found" });
    await assert.rejects(findDevices(below("file")), { kind: "invalid-argument" });
    await assert.rejects(findDevices(below("circle")), { kind: "invalid-argument" });
  });

  it("have numbers of 12 and 20 bits", () => {
    assert.deepEqual(deviceNumbers(0x0801), { major: 8, minor: 1 });
    assert.deepEqual(deviceNumbers(0xfff0_0fff), { major: 15, minor: 0xf_ffff });
  });
});

describe("the file of a seccomp profile", () => {
  it("is found by an absolute path or below the kubelet's directory", async () => {
    await mkdir(below("profiles"));
    await writeFile(below("profiles", "a.json"), "{}");
    for (const reference of [below("profiles", "a.json"), "profiles/a.json", "localhost/profiles/a.json"])
      assert.equal(await readSeccompFile(reference, directory), "{}");
  });

  it("is an error when it is missing, a directory, or not named", async () => {
    await assert.rejects(readSeccompFile("gone.json", directory), { kind: "not-found", message: /gone\.json/ });
    await assert.rejects(readSeccompFile(directory), { kind: "invalid-argument" });
    await assert.rejects(readSeccompFile("localhost/"), { kind: "invalid-argument" });
  });
});
