import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MountRequest } from "#domain/container/request.ts";
import type { MountSource } from "#drivers/security/index.ts";
import type { OciMount } from "#spec/oci-runtime.ts";
import { exampleMount } from "../request-example.ts";
import { type DefaultMountInputs, runsSystemd } from "./default-mounts.ts";
import { buildMounts, type MountInputs } from "./mounts.ts";
import type { FoundMount } from "./volume-mount.ts";

const defaults: DefaultMountInputs = {
  privileged: false,
  cgroupWritable: false,
  bindHostSysfs: false,
  systemd: false,
  tmpfsForReadonlyRoot: false,
};
const capable = { mountOptions: ["rro"], linux: { mountExtensions: { idmap: { enabled: true } } } };

function found(request: Partial<MountRequest> = {}, source: Partial<MountSource> = {}): FoundMount {
  const full = exampleMount(request);
  return {
    request: full,
    source: { path: full.hostPath, isDirectory: true, mountPoint: "/", propagation: "private", ...source },
  };
}

function build(changes: Partial<MountInputs> = {}) {
  const inputs: MountInputs = { defaults, provided: [], volumes: [], features: capable, storageRoots: [], ...changes };
  return buildMounts(inputs);
}

function at(mounts: readonly OciMount[], destination: string): OciMount | undefined {
  return mounts.find((mount) => mount.destination === destination);
}

function volume(one: FoundMount, changes: Partial<MountInputs> = {}): OciMount | undefined {
  return at(build({ volumes: [one], ...changes }).mounts, one.request.containerPath);
}

describe("default mounts", () => {
  it("are the kernel's file systems, parents first", () => {
    assert.deepEqual(
      build().mounts.map((mount) => mount.destination),
      ["/proc", "/dev", "/sys", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys/fs/cgroup"],
    );
  });

  it("are read-only for /sys and the cgroups, unless privileged", () => {
    for (const destination of ["/sys", "/sys/fs/cgroup"]) {
      assert.ok(at(build().mounts, destination)?.options?.includes("ro"));
      const privileged = build({ defaults: { ...defaults, privileged: true } });
      assert.ok(at(privileged.mounts, destination)?.options?.includes("rw"));
    }
  });

  it("bind the host's sysfs where a new one may not be mounted", () => {
    const sys = at(build({ defaults: { ...defaults, bindHostSysfs: true } }).mounts, "/sys");
    assert.deepEqual([sys?.type, sys?.source], ["bind", "/sys"]);
  });

  it("have tmpfs for systemd, and for read-only roots", () => {
    const systemd = build({ defaults: { ...defaults, systemd: true, cgroupWritable: true } }).mounts;
    assert.equal(at(systemd, "/run/lock")?.type, "tmpfs");
    assert.ok(at(systemd, "/sys/fs/cgroup")?.options?.includes("rw"));
    assert.equal(
      at(build({ defaults: { ...defaults, tmpfsForReadonlyRoot: true } }).mounts, "/var/tmp")?.type,
      "tmpfs",
    );
  });

  it("know systemd by its names", () => {
    for (const program of ["/sbin/init", "/usr/lib/systemd/systemd", "systemd"])
      assert.equal(runsSystemd([program]), true);
    for (const args of [[], ["/bin/sh"], ["/app/init"]]) assert.equal(runsSystemd(args), false);
  });
});

describe("volumes", () => {
  const cases: [name: string, request: Partial<MountRequest>, source: Partial<MountSource>, options: string[]][] = [
    ["are private and writable", {}, {}, ["rbind", "rprivate", "rw"]],
    ["can be read-only", { readonly: true }, {}, ["rbind", "rprivate", "ro"]],
    ["can be read-only with all below", { readonly: true, recursiveReadOnly: true }, {}, ["rbind", "rprivate", "rro"]],
    ["can see later mounts", { propagation: "host-to-container" }, { propagation: "slave" }, ["rbind", "rslave", "rw"]],
    ["can show their mounts", { propagation: "bidirectional" }, { propagation: "shared" }, ["rbind", "rshared", "rw"]],
    [
      "of an image are read-only and hold no programs",
      { image: { image: "data", annotations: {}, userSpecifiedImage: "", runtimeHandler: "", imageRef: "" } },
      {},
      ["rbind", "rprivate", "ro", "nosuid", "nodev", "noexec"],
    ],
  ];
  for (const [name, request, source, options] of cases)
    it(name, () => assert.deepEqual(volume(found(request, source))?.options, options));

  it("use the resolved source", () => {
    assert.equal(volume(found({}, { path: "/mnt/real" }))?.source, "/mnt/real");
  });

  it("above berth's own mounts never hold them back from being unmounted", () => {
    const storageRoots = ["/var/lib/berth", "/run/berth"];
    for (const path of ["/", "/var", "/run/berth"])
      assert.deepEqual(volume(found({}, { path }), { storageRoots })?.options?.[1], "rslave", path);
    for (const path of ["/var/lib/berth/images", "/va", "/srv"])
      assert.deepEqual(volume(found({}, { path }), { storageRoots })?.options?.[1], "rprivate", path);
  });

  it("carry id maps when the runtime can map them", () => {
    const map = { hostId: 1000, containerId: 0, length: 10 };
    const mapped = found({ uidMappings: [map], gidMappings: [map] });
    assert.deepEqual(volume(mapped)?.uidMappings, [{ containerID: 0, hostID: 1000, size: 10 }]);
    assert.throws(() => volume(mapped, { features: {} }), { kind: "unimplemented" });
  });

  const failures: [name: string, kind: string, request: Partial<MountRequest>, changes?: Partial<MountInputs>][] = [
    ["recursively read-only but writable", "invalid-argument", { recursiveReadOnly: true }],
    [
      "recursively read-only but propagating",
      "invalid-argument",
      { recursiveReadOnly: true, readonly: true, propagation: "bidirectional" },
    ],
    [
      "recursively read-only on an old runtime",
      "unimplemented",
      { recursiveReadOnly: true, readonly: true },
      { features: {} },
    ],
    ["bidirectional on a private mount", "failed-precondition", { propagation: "bidirectional" }],
    ["host-to-container on a private mount", "failed-precondition", { propagation: "host-to-container" }],
    ["at the root", "invalid-argument", { containerPath: "/" }],
    ["at the root in disguise", "invalid-argument", { containerPath: "/a/.." }],
    ["without a place", "invalid-argument", { containerPath: "" }],
  ];
  for (const [name, kind, request, changes] of failures)
    it(`are refused ${name}`, () => {
      const propagation = request.propagation === undefined || kind === "failed-precondition" ? "private" : "shared";
      assert.throws(() => volume(found(request, { propagation }), changes), { kind });
    });

  it("make the root propagate as well", () => {
    const shared = found({ propagation: "bidirectional" }, { propagation: "shared" });
    const slave = found({ containerPath: "/s", propagation: "host-to-container" }, { propagation: "shared" });
    assert.equal(build({ volumes: [slave, shared] }).rootfsPropagation, "rshared");
    assert.equal(build({ volumes: [slave] }).rootfsPropagation, "rslave");
    assert.equal(build({ volumes: [found()] }).rootfsPropagation, undefined);
  });
});

describe("mounts at one place", () => {
  const provided: OciMount[] = [
    { destination: "/etc/hosts", type: "bind", source: "/run/berth/hosts", options: ["rbind", "rw"] },
    { destination: "/dev/shm", type: "bind", source: "/run/berth/shm", options: ["bind", "rw"] },
  ];

  it("prefer a provided file to a default, and a volume to both", () => {
    assert.equal(at(build({ provided }).mounts, "/dev/shm")?.source, "/run/berth/shm");
    const volumes = [found({ containerPath: "/etc/hosts" }), found({ containerPath: "/dev/shm/" })];
    const { mounts } = build({ provided, volumes });
    for (const destination of ["/etc/hosts", "/dev/shm"]) assert.equal(at(mounts, destination)?.source, "/srv/data");
    assert.equal(new Set(mounts.map((mount) => mount.destination)).size, mounts.length);
  });

  it("leave out everything below when a volume is the whole /dev or /sys", () => {
    const { mounts } = build({
      provided,
      volumes: [found({ containerPath: "/dev" }), found({ containerPath: "/sys" })],
    });
    assert.deepEqual(
      mounts.map((mount) => mount.destination),
      ["/proc", "/dev", "/sys", "/etc/hosts"],
    );
  });

  it("keep a volume's own submount after it, in whatever order they come", () => {
    const volumes = [found({ containerPath: "/data/a/b" }), found({ containerPath: "/data" })];
    const destinations = build({ volumes }).mounts.map((mount) => mount.destination);
    assert.ok(destinations.indexOf("/data") < destinations.indexOf("/data/a/b"));
  });
});
