import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DomainError } from "#errors/domain-error.ts";
import { exampleContainerRequest, exampleMount, exampleSecurityContext } from "../request-example.ts";
import { exampleConfigText, exampleContainer, exampleSpec } from "./checkpoint-example.ts";
import { dumpDocuments, externalMounts, mountPlaces } from "./dump-documents.ts";
import { parseCheckpoint } from "./parsed-checkpoint.ts";
import { requireMounts, restoredRequest } from "./restored-request.ts";

const parsed = () => parseCheckpoint("/a.tar", exampleConfigText, JSON.stringify(exampleSpec()));
const isInvalid = (words: RegExp) => (error: unknown) =>
  error instanceof DomainError && error.kind === "invalid-argument" && words.test(error.message);

describe("the documents of a checkpoint", () => {
  const facts = {
    container: exampleContainer,
    spec: exampleSpec(),
    imageName: "registry.example/app:1",
    pod: { name: "pod", namespace: "ns" },
    bindMounts: [],
    checkpointedAt: new Date("2026-02-03T04:05:06Z"),
  };

  it("say what Kubernetes tools look for", () => {
    const { "config.dump": config = "", "spec.dump": spec = "", ...others } = dumpDocuments(facts);
    assert.deepEqual(JSON.parse(config), {
      id: "c",
      name: "k8s_app_pod_ns_uid_0",
      rootfsImage: "busybox",
      rootfsImageRef: "a".repeat(64),
      rootfsImageName: "registry.example/app:1",
      runtime: "runc",
      createdTime: "2023-11-14T22:13:20.000Z",
      checkpointedTime: "2026-02-03T04:05:06.000Z",
      restoredTime: "0001-01-01T00:00:00Z",
      restored: false,
    });
    const { annotations } = JSON.parse(spec) as { annotations: Record<string, string> };
    assert.equal(annotations["io.kubernetes.pod.name"], "pod");
    assert.equal(annotations["io.kubernetes.pod.namespace"], "ns");
    assert.deepEqual(others, {});
  });

  it("name the mounts that have to be supplied again, and leave the others to the runtime", () => {
    const mount = { source: "/srv/data", destination: "/data", file_type: "directory", permissions: 0o755 } as const;
    assert.deepEqual(JSON.parse(dumpDocuments({ ...facts, bindMounts: [mount] })["bind.mounts"] ?? ""), [mount]);
    assert.deepEqual(
      externalMounts(exampleSpec()).map(({ destination }) => destination),
      ["/etc/hosts", "/data"],
    );
    assert.deepEqual(mountPlaces(exampleSpec()), ["proc", "dev/shm", "etc/hosts", "data"]);
  });

  it("are read back, whoever wrote them", () => {
    const { imageId, imageName, checkpointedAtNs, process } = parsed();
    assert.deepEqual([imageId, imageName], ["a".repeat(64), "registry.example/app:1"]);
    assert.equal(checkpointedAtNs, "1770091506789000000");
    assert.deepEqual(process, {
      args: ["app", "--serve"],
      env: ["A=1", "EMPTY"],
      cwd: "/srv",
      user: { uid: 1000, gid: 1001, additionalGids: [1001, 5] },
      terminal: true,
    });
    const bare = parseCheckpoint("/a.tar", "{}", JSON.stringify({ process: { args: ["a"] }, mounts: "no list" }));
    assert.deepEqual([bare.imageId, bare.mounts, bare.annotations, bare.process.cwd], ["", [], {}, "/"]);
  });

  for (const [what, config, spec, words] of [
    ["no JSON", "{", "{}", /config\.dump/],
    ["no object", "{}", "[]", /spec\.dump.*no object/],
    ["no process", "{}", "{}", /spec\.dump.*no process/],
  ] as const)
    it(`are refused when there is ${what} in them`, () => {
      assert.throws(() => parseCheckpoint("/a.tar", config, spec), isInvalid(words));
    });
});

describe("the request for a restored container", () => {
  const restored = (changes = {}) =>
    restoredRequest(exampleContainerRequest(changes), parsed(), "registry.example/app:1", "new-uid");

  it("has the processes of the checkpoint", () => {
    const request = restored({ command: ["other"], args: ["x"], workingDir: "/other", tty: false });
    assert.deepEqual([request.command, request.args, request.workingDir], [["app", "--serve"], [], "/srv"]);
    assert.deepEqual(request.env, [
      { name: "A", value: "1" },
      { name: "EMPTY", value: "" },
    ]);
    assert.deepEqual([request.tty, request.stdin, request.stdinOnce], [true, true, false]);
    assert.equal(request.image.image, "registry.example/app:1");
  });

  it("has the user of the checkpoint unless it names one", () => {
    const { runAsUser, runAsGroup, supplementalGroups } = restored().linux.securityContext;
    assert.deepEqual([runAsUser, runAsGroup, supplementalGroups], [1000, 1001, [1001, 5]]);
    const securityContext = exampleSecurityContext({ runAsUser: 7 });
    const named = restored({ linux: { resources: undefined, securityContext } }).linux.securityContext;
    assert.deepEqual([named.runAsUser, named.runAsGroup], [7, undefined]);
    assert.deepEqual([named.maskedPaths, named.readonlyPaths], [["/proc/kcore"], ["/proc/sys"]]);
  });

  it("keeps annotations of before, under those of the request, and belongs to the new pod", () => {
    const { annotations } = restored({ annotations: { both: "now" } });
    assert.deepEqual(annotations, { kept: "before", both: "now", "io.kubernetes.pod.uid": "new-uid" });
  });

  it("leaves out mounts that the checkpoint does not know", () => {
    const mounts = ["/data", "/new"].map((containerPath) => exampleMount({ containerPath, hostPath: "/srv" }));
    assert.deepEqual(
      restored({ mounts }).mounts.map(({ containerPath }) => containerPath),
      ["/data"],
    );
  });

  it("needs all that the container had from the host", () => {
    const given = [{ destination: "/dev/shm" }, { destination: "/data" }];
    assert.throws(
      () => requireMounts("/a.tar", parsed(), given),
      isInvalid(/\/a\.tar needs mounts .* at \/etc\/hosts$/),
    );
    requireMounts("/a.tar", parsed(), [...given, { destination: "/etc/hosts" }]);
  });
});
