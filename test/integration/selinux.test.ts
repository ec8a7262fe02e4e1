import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { useDaemon } from "../support/fixture.ts";
import { buildArtifact, buildImage } from "../support/image-builder.ts";
import {
  containerConfig,
  pull,
  runContainer,
  runPod,
  runToEnd,
  type ContainerConfig,
  type Pod,
  type SecurityContext,
} from "../support/pods.ts";
import { containerPid } from "../support/cgroup-of.ts";
import { rejects } from "../support/rejects.ts";
import { cannotRunPods } from "../support/requirements.ts";

const hasSelinux = existsSync("/sys/fs/selinux/enforce");

describe("SELinux", { skip: cannotRunPods() || (hasSelinux ? false : "the kernel has no SELinux") }, () => {
  const suite = useDaemon();

  async function outputOf(pod: Pod, name: string, command: string, more: ContainerConfig = {}): Promise<string> {
    const config = containerConfig(suite.busybox, name, ["sh", "-c", command], more);
    const { stdout, stderr } = await runToEnd(suite.daemon, pod, config);
    return stdout + stderr;
  }

  const labelOf = async (pod: Pod, name: string, securityContext: SecurityContext = {}): Promise<string> =>
    (await outputOf(pod, name, "cat /proc/self/attr/current", { linux: { securityContext } })).replace(/\0$/, "");

  it("gives the containers of a pod the policy's type and the pod's own categories", async () => {
    const [first, second] = [await runPod(suite.daemon, "first"), await runPod(suite.daemon, "second")];
    const label = await labelOf(first, "a");
    assert.match(label, /^system_u:system_r:container_t:s0:c\d+,c\d+$/);
    assert.equal(await labelOf(first, "b"), label);
    assert.notEqual(await labelOf(second, "a"), label);
  });

  it("uses the parts of a label that the request names", async () => {
    const selinuxOptions = { user: "", role: "", type: "", level: "s0:c4,c5" };
    const label = await labelOf(await runPod(suite.daemon, "named"), "a", { selinuxOptions });
    assert.equal(label, "system_u:system_r:container_t:s0:c4,c5");
  });

  it("refuses a label that the policy does not know, in words", async () => {
    const pod = await runPod(suite.daemon, "unknown");
    for (const [part, value] of [
      ["type", "berth_no_such_t"],
      ["level", "s0:c9999"],
    ] as const) {
      const selinuxOptions = { user: "", role: "", type: "", level: "", [part]: value };
      await rejects(
        labelOf(pod, part, { selinuxOptions }),
        "INVALID_ARGUMENT",
        /does not allow the label .*(no_such_t|c9999)/,
      );
    }
  });

  it("labels the root, the pod's files and its shared memory so that the container may use them", async () => {
    const { daemon, busybox } = suite;
    const id = await runContainer(
      daemon,
      await runPod(daemon, "files"),
      containerConfig(busybox, "a", ["sleep", "60"]),
    );
    const root = `/proc/${await containerPid(daemon, id)}/root`;
    for (const file of ["/", "/bin/busybox", "/etc/resolv.conf", "/etc/hosts", "/etc/hostname", "/dev/shm"])
      assert.match(hostLabel(path.join(root, file)), /^system_u:object_r:container_file_t:s0:c\d+,c\d+$/, file);
    await daemon.client.call(RuntimeService.method.stopContainer, { containerId: id, timeout: 0n });
  });

  it("relabels the volumes that ask for it, and no others", async () => {
    const { daemon } = suite;
    const [own, foreign] = ["own", "foreign"].map((name) => path.join(daemon.places.folder, name));
    assert.ok(own !== undefined && foreign !== undefined);
    for (const folder of [own, foreign]) {
      mkdirSync(path.join(folder, "below"), { recursive: true });
      writeFileSync(path.join(folder, "below/file"), "x");
    }
    const before = hostLabel(foreign);
    await outputOf(await runPod(daemon, "volumes"), "a", "true", {
      mounts: [
        { hostPath: own, containerPath: "/own", selinuxRelabel: true },
        { hostPath: foreign, containerPath: "/foreign" },
      ],
    });
    const label = hostLabel(own);
    assert.match(label, /^system_u:object_r:container_file_t:s0:c\d+,c\d+$/);
    assert.equal(hostLabel(path.join(own, "below/file")), label);
    assert.equal(hostLabel(foreign), before);
  });

  it("labels image volumes as the container's own files, and artifacts so that all pods may read them", async () => {
    const { daemon, registry, busybox } = suite;
    const image = buildImage({ layers: [{ entries: [{ path: "dir/file", content: "x" }] }] });
    const references = [
      await registry.push(image, "test/labelled", "v1"),
      await registry.push(buildArtifact({ "dir/file": "x" }), "test/labelled-artifact", "v1"),
    ];
    for (const reference of references) await pull(daemon, reference);
    const mounts = references.map((reference, index) => ({ containerPath: `/${index}`, image: { image: reference } }));
    const config = containerConfig(busybox, "a", ["sleep", "60"], { mounts });
    const id = await runContainer(daemon, await runPod(daemon, "image-volumes"), config);
    const root = `/proc/${await containerPid(daemon, id)}/root`;
    const own = hostLabel(path.join(root, "/"));
    for (const file of ["0", "0/dir/file"]) assert.equal(hostLabel(path.join(root, file)), own);
    for (const file of ["1", "1/dir", "1/dir/file"])
      assert.equal(hostLabel(path.join(root, file)), own.replace(/:c\d+,c\d+$/, ""));
    await daemon.client.call(RuntimeService.method.stopContainer, { containerId: id, timeout: 0n });
  });

  it("leaves privileged containers to the runtime's own domain", async () => {
    const label = await labelOf(await runPod(suite.daemon, "privileged"), "a", { privileged: true });
    assert.doesNotMatch(label, /:container_t:/);
  });
});

function hostLabel(file: string): string {
  return execFileSync("stat", ["--format=%C", file], { encoding: "utf8" }).trim();
}
