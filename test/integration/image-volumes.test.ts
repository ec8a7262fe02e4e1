import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { ImageService, NamespaceMode, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { type TestDaemon } from "../support/daemon.ts";
import { eventually } from "../support/eventually.ts";
import { useDaemon } from "../support/fixture.ts";
import { buildArtifact, buildImage } from "../support/image-builder.ts";
import {
  containerConfig,
  containerStatus,
  createContainer,
  exec,
  pull,
  removePod,
  runContainer,
  runPod,
  runToEnd,
  type ContainerConfig,
} from "../support/pods.ts";
import { rejects } from "../support/rejects.ts";
import { cannotRunPods, idmappingRuntime } from "../support/requirements.ts";

const { removeImage, imageStatus } = ImageService.method;
const { removeContainer } = RuntimeService.method;

/** Files, and symlinks that try to lead out. */
const dataImage = buildImage({
  layers: [
    {
      entries: [
        { path: "top", content: "top\n" },
        { path: "dir/", kind: "directory" },
        { path: "dir/inner", content: "inner\n" },
        { path: "etc/", kind: "directory" },
        { path: "etc/hostname", content: "of the image\n" },
      ],
    },
    {
      entries: [
        { path: "dir/", kind: "directory" },
        { path: "dir/second", content: "second\n" },
        { path: "absolute", kind: "symlink", target: "/etc" },
        { path: "upwards", kind: "symlink", target: "../../../../../../etc" },
        { path: "circle", kind: "symlink", target: "circle" },
      ],
    },
  ],
});

const volume = (image: string, containerPath = "/data", imageSubPath = "") => ({
  containerPath,
  image: { image },
  imageSubPath,
});

/** Directories of image volumes that are there. */
function volumeFolders(daemon: TestDaemon): string[] {
  return readdirSync(path.join(daemon.places.runroot, "image-volumes"));
}

describe("an image volume", { skip: cannotRunPods() }, () => {
  const suite = useDaemon();
  const dataReference = async (): Promise<string> => {
    const reference = await suite.registry.push(dataImage, "test/data", "v1");
    await pull(suite.daemon, reference);
    return reference;
  };
  const withVolumes = (name: string, script: string, mounts: NonNullable<ContainerConfig["mounts"]>): ContainerConfig =>
    containerConfig(suite.busybox, name, ["sh", "-c", script], { mounts });

  it("shows the image's content, read-only and without devices, set-uid programs or programs at all", async () => {
    const { daemon } = suite;
    const reference = await dataReference();
    const pod = await runPod(daemon, "content");
    const script = "cat /data/top /data/dir/*; touch /data/x; grep ' /data ' /proc/mounts";
    const { stdout, stderr } = await runToEnd(daemon, pod, withVolumes("read", script, [volume(reference)]));
    const [, options = ""] = /^overlay \/data overlay (\S+)/m.exec(stdout) ?? [];
    assert.match(stdout, /^top\ninner\nsecond\n/);
    assert.match(stderr, /Read-only file system/);
    for (const option of ["ro", "nosuid", "nodev", "noexec"]) assert.ok(options.split(",").includes(option), options);
    await removePod(daemon, pod.id);
  });

  it("is told with its image and sub path in the container's status", async () => {
    const { daemon } = suite;
    const reference = await dataReference();
    const pod = await runPod(daemon, "told");
    const id = await createContainer(daemon, pod, withVolumes("told", "true", [volume(reference, "/data", "dir")]));
    const [mount] = (await containerStatus(daemon, id)).mounts;
    const { image } = await daemon.client.call(imageStatus, { image: { image: reference } });
    assert.deepEqual([mount?.containerPath, mount?.image?.image, mount?.imageSubPath], ["/data", image?.id, "dir"]);
    await removePod(daemon, pod.id);
  });

  it("shows a directory or a file of the image when it has a sub path", async () => {
    const { daemon } = suite;
    const reference = await dataReference();
    const pod = await runPod(daemon, "sub");
    const mounts = [volume(reference, "/directory", "dir"), volume(reference, "/file", "dir/inner")];
    const { stdout } = await runToEnd(daemon, pod, withVolumes("sub", "ls /directory; cat /file", mounts));
    assert.equal(stdout, "inner\nsecond\ninner\n");
    await removePod(daemon, pod.id);
  });

  it("leads into the image, not out of it, by whatever sub path", async () => {
    const { daemon } = suite;
    const reference = await dataReference();
    const pod = await runPod(daemon, "escape");
    for (const [index, subPath] of ["absolute", "upwards", "../../etc", "/etc"].entries()) {
      const config = withVolumes(`escape-${index}`, "cat /data/hostname", [volume(reference, "/data", subPath)]);
      assert.equal((await runToEnd(daemon, pod, config)).stdout, "of the image\n", subPath);
    }
    await removePod(daemon, pod.id);
  });

  it("whose image or sub path does not exist fails in words that the kubelet knows, and leaves nothing", async () => {
    const { daemon, registry } = suite;
    const reference = await dataReference();
    const pod = await runPod(daemon, "missing");
    const before = daemon.footprint();
    const cases: [ReturnType<typeof volume>, RegExp][] = [
      [volume(reference, "/data", "none/at/all"), /^ImageVolumeMountFailed: .*sub path "none\/at\/all" does not exist/],
      [volume(reference, "/data", "circle"), /^ImageVolumeMountFailed: .*sub path "circle"/],
      [volume(`${registry.host}/test/absent:v1`), /^ImageVolumeMountFailed: .*test\/absent:v1 is not on this node/],
    ];
    for (const [mount, message] of cases)
      await rejects(createContainer(daemon, pod, withVolumes("missing", "true", [mount])), ["UNKNOWN"], message);
    assert.deepEqual(volumeFolders(daemon), []);
    assert.deepEqual(daemon.footprint().mounts, before.mounts);
    await removePod(daemon, pod.id);
  });

  it("keeps its image from being removed until the container is", async () => {
    const { daemon } = suite;
    const reference = await dataReference();
    const pod = await runPod(daemon, "in-use");
    const containerId = await createContainer(daemon, pod, withVolumes("user", "true", [volume(reference)]));
    await rejects(daemon.client.call(removeImage, { image: { image: reference } }), ["FAILED_PRECONDITION"], /used by/);
    await daemon.client.call(removeContainer, { containerId });
    assert.deepEqual(volumeFolders(daemon), []);
    await daemon.client.call(removeImage, { image: { image: reference } });
    assert.equal((await daemon.client.call(imageStatus, { image: { image: reference } })).image, undefined);
    await removePod(daemon, pod.id);
  });

  it("outlives a daemon that was killed, and is released afterwards", async () => {
    const { daemon } = suite;
    const reference = await dataReference();
    const pod = await runPod(daemon, "crash");
    const id = await runContainer(daemon, pod, withVolumes("long", "sleep 1000", [volume(reference, "/data", "dir")]));
    await daemon.restart();
    assert.equal((await exec(daemon, id, ["cat", "/data/inner"])).stdout, "inner\n");
    await rejects(daemon.client.call(removeImage, { image: { image: reference } }), ["FAILED_PRECONDITION"], /used by/);
    await daemon.client.call(removeContainer, { containerId: id });
    assert.deepEqual(volumeFolders(daemon), []);
    await removePod(daemon, pod.id);
  });

  it("of a container that nobody knows any more is taken away at start", async () => {
    const { daemon } = suite;
    const content = path.join(daemon.places.runroot, "image-volumes", "0".repeat(64), "0", "content");
    mkdirSync(content, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "orphan", content]);
    writeFileSync(path.join(content, "file"), "");
    await daemon.restart();
    await eventually("the sweep", () => (volumeFolders(daemon).length === 0 ? true : undefined));
    assert.doesNotMatch(readFileSync("/proc/mounts", "utf8"), new RegExp(content));
  });

  it("has as many layers as an image may have", async () => {
    const { daemon, registry } = suite;
    const layers = Array.from({ length: 120 }, (_, index) => ({
      entries: [{ path: `${index}`, content: `${index}` }],
    }));
    const reference = await registry.push(buildImage({ layers }), "test/deep-data", "v1");
    await pull(daemon, reference);
    const pod = await runPod(daemon, "deep");
    const { stdout } = await runToEnd(daemon, pod, withVolumes("deep", "ls /data | wc -l", [volume(reference)]));
    assert.equal(stdout.trim(), "120");
    await removePod(daemon, pod.id);
  });
});

describe("an artifact as a volume", { skip: cannotRunPods() }, () => {
  const suite = useDaemon();
  const files = {
    "model.bin": "weights\n",
    "docs/readme": "read me\n",
    "docs/deep/er": "deeper\n",
    "../out": "inside\n",
  };
  const asUser = { linux: { securityContext: { runAsUser: { value: 1000n } } } };

  it("is a directory with its files under their titles, for any user to read", async () => {
    const { daemon, registry } = suite;
    const reference = await registry.push(buildArtifact(files), "test/artifact", "v1");
    await pull(daemon, reference);
    const pod = await runPod(daemon, "artifact");
    const script = "cd /data; find . -type f | sort; cat model.bin docs/deep/er; echo x > model.bin; touch new";
    const config = containerConfig(suite.busybox, "read", ["sh", "-c", script], {
      mounts: [volume(reference)],
      ...asUser,
    });
    const { stdout, stderr } = await runToEnd(daemon, pod, config);
    assert.equal(stdout, "./docs/deep/er\n./docs/readme\n./model.bin\n./out\nweights\ndeeper\n");
    assert.equal(stderr.match(/Read-only file system/g)?.length, 2);
    await removePod(daemon, pod.id);
    assert.deepEqual(volumeFolders(daemon), []);
  });

  it("shows one of its directories or files when it has a sub path", async () => {
    const { daemon, registry } = suite;
    const reference = await registry.push(buildArtifact(files), "test/artifact", "v2");
    await pull(daemon, reference);
    const pod = await runPod(daemon, "artifact-sub");
    const mounts = [volume(reference, "/docs", "docs"), volume(reference, "/weights", "model.bin")];
    const script = ["sh", "-c", "cat /docs/readme /docs/deep/er /weights"];
    const { stdout } = await runToEnd(daemon, pod, containerConfig(suite.busybox, "sub", script, { mounts }));
    assert.equal(stdout, "read me\ndeeper\nweights\n");
    await rejects(
      createContainer(
        daemon,
        pod,
        containerConfig(suite.busybox, "none", script, { mounts: [volume(reference, "/x", "none")] }),
      ),
      ["UNKNOWN"],
      /^ImageVolumeMountFailed: .*sub path "none"/,
    );
    await removePod(daemon, pod.id);
  });

  it("with files that cannot stand beside each other is refused", async () => {
    const { daemon, registry } = suite;
    const reference = await registry.push(buildArtifact({ a: "file", "a/b": "below a file" }), "test/artifact", "bad");
    await pull(daemon, reference);
    const pod = await runPod(daemon, "artifact-bad");
    const config = containerConfig(suite.busybox, "bad", ["true"], { mounts: [volume(reference)] });
    await rejects(createContainer(daemon, pod, config), ["UNKNOWN"], /^ImageVolumeMountFailed: .*cannot stand beside/);
    await removePod(daemon, pod.id);
  });
});

const mapsIds = idmappingRuntime();

describe(
  "image volumes in a user namespace",
  { skip: cannotRunPods() || (mapsIds ? false : "no runtime maps ids") },
  () => {
    const suite = useDaemon(() => ({ runtimePath: mapsIds ?? "" }));
    const range = [{ hostId: 300_000, containerId: 0, length: 65_536 }];
    const owners = (place: string) => `cd ${place}; for f in $(find . | sort); do stat -c '%n %u %g' $f; done`;

    async function userPod(name: string) {
      // The pod's root has to get to its container's root.
      chmodSync(suite.daemon.places.folder, 0o711);
      const { daemon } = suite;
      const userns = { mode: NamespaceMode.POD, uids: range, gids: range };
      const namespaceOptions = { pid: NamespaceMode.CONTAINER, usernsOptions: userns };
      const linux = { cgroupParent: daemon.places.cgroupParent, securityContext: { namespaceOptions } };
      return { pod: await runPod(daemon, name, { linux }), linux: { securityContext: { namespaceOptions } } };
    }

    it("have the owners that the image gives its files", async () => {
      const { daemon, registry, busybox } = suite;
      const entries = [
        { path: "mine", content: "mine\n", uid: 0, gid: 0, mode: 0o600 },
        { path: "dir/", kind: "directory" as const, uid: 1000, gid: 100 },
        { path: "dir/theirs", content: "theirs\n", uid: 1000, gid: 100 },
      ];
      const reference = await registry.push(buildImage({ layers: [{ entries }] }), "test/owned", "v1");
      await pull(daemon, reference);
      const { pod, linux } = await userPod("owners");
      const mounts = [volume(reference), volume(reference, "/sub", "dir")];
      const script = `${owners("/data")}; ${owners("/sub")}; cat /data/mine /sub/theirs`;
      const config = containerConfig(busybox, "owners", ["sh", "-c", script], { mounts, linux });
      const { stdout, stderr } = await runToEnd(daemon, pod, config);
      const wanted = [
        ". 0 0",
        "./dir 1000 100",
        "./dir/theirs 1000 100",
        "./mine 0 0",
        ". 1000 100",
        "./theirs 1000 100",
      ];
      assert.equal(stdout, `${[...wanted, "mine", "theirs"].join("\n")}\n`, stderr);
      await removePod(daemon, pod.id);
      assert.deepEqual(volumeFolders(daemon), []);
    });

    it("of artifacts belong to the pod's root, and to nobody's elsewhere", async () => {
      const { daemon, registry, busybox } = suite;
      const reference = await registry.push(buildArtifact({ "docs/readme": "read\n" }), "test/owned-artifact", "v1");
      await pull(daemon, reference);
      const { pod, linux } = await userPod("artifact-owners");
      const script = `${owners("/data")}; cat /data/docs/readme; echo x > /data/docs/readme`;
      const config = containerConfig(busybox, "owners", ["sh", "-c", script], { mounts: [volume(reference)], linux });
      const { stdout, stderr } = await runToEnd(daemon, pod, config);
      assert.equal(stdout, ". 0 0\n./docs 0 0\n./docs/readme 0 0\nread\n", stderr);
      assert.match(stderr, /Read-only file system/);
      await removePod(daemon, pod.id);
      assert.deepEqual(volumeFolders(daemon), []);
    });
  },
);
