import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { HostDevice } from "#drivers/security/index.ts";
import { buildDevices, parseAnnotatedDevices, parseDevice } from "./devices.ts";

function node(path: string, minor: number, changes: Partial<HostDevice> = {}): HostDevice {
  return { path, type: "c", major: 10, minor, fileMode: 0o660, uid: 0, gid: 6, ...changes };
}

const fuse = { hostPath: "/dev/fuse", containerPath: "/dev/fuse", permissions: "rw" };

describe("devices", () => {
  it("are none by default, and all are denied", () => {
    const result = buildDevices({ devices: [], hostDevices: undefined, owner: undefined });
    assert.deepEqual(result, { devices: [], rules: [{ allow: false, access: "rwm" }] });
  });

  it("of a request get a node and a rule", () => {
    const found = { request: { ...fuse, containerPath: "/dev/other" }, nodes: [node("/dev/fuse", 229)] };
    const result = buildDevices({ devices: [found], hostDevices: undefined, owner: undefined });
    assert.deepEqual(result.devices, [
      { path: "/dev/other", type: "c", major: 10, minor: 229, fileMode: 0o660, uid: 0, gid: 6 },
    ]);
    assert.deepEqual(result.rules[1], { allow: true, type: "c", major: 10, minor: 229, access: "rw" });
  });

  it("of a directory keep their places below it", () => {
    const request = { hostPath: "/dev/snd", containerPath: "/dev/sound", permissions: "" };
    const nodes = [node("/dev/snd/timer", 1), node("/dev/snd/by/id", 2)];
    const { devices, rules } = buildDevices({
      devices: [{ request, nodes }],
      hostDevices: undefined,
      owner: undefined,
    });
    assert.deepEqual(
      devices.map((device) => device.path),
      ["/dev/sound/timer", "/dev/sound/by/id"],
    );
    assert.deepEqual(
      rules.map((rule) => rule.access),
      ["rwm", "rwm", "rwm"],
    );
  });

  it("of a privileged container are the host's, all allowed, and its requests come on top", () => {
    const hostDevices = [node("/dev/fuse", 229), node("/dev/kmsg", 11)];
    const found = { request: { ...fuse, containerPath: "/dev/kmsg" }, nodes: [node("/dev/fuse", 229)] };
    const result = buildDevices({ devices: [found], hostDevices, owner: undefined });
    assert.deepEqual(
      result.devices.map((device) => [device.path, device.minor]),
      [
        ["/dev/fuse", 229],
        ["/dev/kmsg", 229],
      ],
    );
    assert.deepEqual(result.rules[0], { allow: true, access: "rwm" });
  });

  it("belong to the container's user when configured", () => {
    const found = { request: fuse, nodes: [node("/dev/fuse", 229)] };
    const result = buildDevices({ devices: [found], hostDevices: undefined, owner: { uid: 1000, gid: 1001 } });
    assert.deepEqual([result.devices[0]?.uid, result.devices[0]?.gid], [1000, 1001]);
  });

  it("refuse permissions other than r, w and m", () => {
    for (const permissions of ["x", "rr", "rwmx"]) {
      const found = { request: { ...fuse, permissions }, nodes: [] };
      const inputs = { devices: [found], hostDevices: undefined, owner: undefined };
      assert.throws(() => buildDevices(inputs), { kind: "invalid-argument" });
    }
  });
});

describe("a device of the configuration", () => {
  const cases: [text: string, hostPath: string, containerPath: string, permissions: string][] = [
    ["/dev/fuse", "/dev/fuse", "/dev/fuse", ""],
    ["/dev/fuse:/dev/other", "/dev/fuse", "/dev/other", ""],
    ["/dev/fuse:/dev/other:rw", "/dev/fuse", "/dev/other", "rw"],
    ["/dev/fuse:rw", "/dev/fuse", "/dev/fuse", "rw"],
    ["/dev/fuse::rw", "/dev/fuse", "/dev/fuse", "rw"],
  ];
  for (const [text, hostPath, containerPath, permissions] of cases)
    it(`may be ${text}`, () => assert.deepEqual(parseDevice(text), { hostPath, containerPath, permissions }));

  for (const text of ["", "fuse", "/dev/fuse:other:rw", "/dev/a:/dev/b:rw:more", "/dev/a:rwx"])
    it(`may not be ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseDevice(text), { kind: "invalid-argument" });
    });

  it("in an annotation has to be allowed", () => {
    assert.deepEqual(parseAnnotatedDevices("/dev/fuse:/dev/fuse:rw, ", ["/dev/fuse"]), [fuse]);
    assert.throws(() => parseAnnotatedDevices("/dev/kvm", ["/dev/fuse"]), {
      kind: "permission-denied",
      message: /\/dev\/kvm/,
    });
  });
});
