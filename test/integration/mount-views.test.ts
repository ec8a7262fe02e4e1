import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { MountPropagation } from "#cri/gen/runtime/v1/api_pb.ts";
import { openMountViews } from "#drivers/mount-views/kernel-mount-views.ts";
import { KernelThread } from "#kernel/kernel-thread.ts";
import { parseMountInfo } from "#kernel/mount.ts";
import type { Logger } from "#observability/logger.ts";
import { eventually } from "../support/eventually.ts";
import { mountsBelow } from "../support/footprint.ts";
import { useDaemon } from "../support/fixture.ts";
import {
  containerConfig,
  type ContainerConfig,
  createContainer,
  exec,
  type Pod,
  removePod,
  runContainer,
  runPod,
  startContainer,
  untilTerminated,
} from "../support/pods.ts";
import { findProgram } from "../support/requirements.ts";

const isRoot = process.getuid?.() === 0;
const hasSelinux = existsSync("/sys/fs/selinux/enforce");
const unfit = hasSelinux ? "with SELinux runtimes see the mounts of all pods" : isRoot ? false : "needs root";

describe("the mounts that a runtime sees", { skip: unfit }, () => {
  let folder = "";
  let seen = "";
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), "berth-views-"));
    seen = path.join(folder, "seen");
    mkdirSync(seen);
  });
  const suite = useDaemon(() => ({ runtimePath: observedRuntime(folder, seen), sharedRunroot: true }));
  after(() => rmSync(folder, { recursive: true }));
  let standing: Pod;
  let standingContainer: string;
  before(async () => {
    standing = await runPod(suite.daemon, "standing");
    standingContainer = await runContainer(suite.daemon, standing, config("standing"));
  });

  function config(name: string, more: ContainerConfig = {}): ContainerConfig {
    return containerConfig(suite.busybox, name, untilTerminated, more);
  }

  /** Mount points that the runtime saw when it created a container, of those that are for pods. */
  function seenMounts(containerId: string): string[] {
    return parseMountInfo(readFileSync(path.join(seen, containerId), "utf8"))
      .map(({ mountPoint }) => mountPoint)
      .filter((place) => place.startsWith(`${suite.daemon.places.runroot}/`));
  }

  function ofOthers(places: readonly string[]): string[] {
    return places.filter((place) => place.includes(standing.id) || place.includes(standingContainer));
  }

  it("are those of the pod alone", async () => {
    const { daemon } = suite;
    const pod = await runPod(daemon, "alone");
    const id = await runContainer(daemon, pod, config("alone"));
    const { runroot } = daemon.places;
    const namespaces = ["ipcns", "netns", "utsns"].map((kind) => path.join(runroot, "namespaces", kind, pod.id));
    const below = [`rootfs/rootfs/${id}/merged`, `shm/${pod.id}`].map((name) => path.join(runroot, name));
    assert.deepEqual(seenMounts(id).sort(), [...namespaces, ...below].sort());
    await removePod(daemon, pod.id);
    assert.equal(ofOthers(daemon.footprint().mounts).length, 5, "the others' own are still there");
    assert.equal((await exec(daemon, standingContainer, ["true"])).exitCode, 0);
  });

  it("are shared by the containers of a pod where they are to be", async () => {
    const { daemon } = suite;
    const pod = await runPod(daemon, "shares");
    const one = await runContainer(daemon, pod, config("one"));
    const other = await runContainer(daemon, pod, config("other"));
    await exec(daemon, one, ["sh", "-c", "echo from one >/dev/shm/note"]);
    assert.equal((await exec(daemon, other, ["cat", "/dev/shm/note"])).stdout, "from one\n");
    await removePod(daemon, pod.id);
  });

  it("are those of the pod and all network namespaces for a container that gets the root of the host", async () => {
    const { daemon } = suite;
    const pod = await runPod(daemon, "whole");
    const mounts = [{ hostPath: "/", containerPath: "/host" }];
    const id = await runContainer(daemon, pod, config("whole", { mounts }));
    const netns = path.join(daemon.places.runroot, "namespaces/netns", standing.id);
    assert.deepEqual(ofOthers(seenMounts(id)), [netns]);
    const { stdout } = await exec(daemon, id, ["cat", "/proc/self/mountinfo"]);
    assert.deepEqual(ofOthers(parseMountInfo(stdout).map(({ mountPoint }) => mountPoint)), [`/host${netns}`]);
    await removePod(daemon, pod.id);
  });

  it("include what the kubelet has mounted since the last container was made", async () => {
    const { daemon } = suite;
    const volume = path.join(folder, "volume");
    mkdirSync(volume);
    execFileSync("mount", ["-t", "tmpfs", "volume", volume]);
    try {
      writeFileSync(path.join(volume, "token"), "secret");
      const pod = await runPod(daemon, "volume");
      const id = await runContainer(
        daemon,
        pod,
        config("volume", { mounts: [{ hostPath: volume, containerPath: "/v" }] }),
      );
      assert.deepEqual(ofOthers(seenMounts(id)), []);
      assert.equal((await exec(daemon, id, ["cat", "/v/token"])).stdout, "secret");
      await removePod(daemon, pod.id);
    } finally {
      execFileSync("umount", [volume]);
    }
  });

  it("are all of them where a volume lies below a mount that is in no copy of the host", async () => {
    const { daemon } = suite;
    const place = path.join(folder, "unbindable");
    mkdirSync(path.join(place, "volume"), { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "unbindable", place]);
    execFileSync("mount", ["--make-unbindable", place]);
    try {
      const hostPath = path.join(place, "volume");
      mkdirSync(hostPath);
      execFileSync("mount", ["-t", "tmpfs", "volume", hostPath]);
      writeFileSync(path.join(hostPath, "file"), "precious");
      const pod = await runPod(daemon, "below");
      const id = await runContainer(daemon, pod, config("below", { mounts: [{ hostPath, containerPath: "/v" }] }));
      assert.equal((await exec(daemon, id, ["cat", "/v/file"])).stdout, "precious");
      await removePod(daemon, pod.id);
    } finally {
      execFileSync("umount", ["--recursive", place]);
    }
  });

  it("let a container receive what is mounted on the host later, and give the host what it mounts", async () => {
    const { daemon } = suite;
    const volume = path.join(daemon.places.runroot, "later");
    mkdirSync(volume);
    const pod = await runPod(daemon, "later");
    const receives = { propagation: MountPropagation.PROPAGATION_HOST_TO_CONTAINER };
    const gives = { propagation: MountPropagation.PROPAGATION_BIDIRECTIONAL };
    const volumeWith = (more: object) => ({ mounts: [{ hostPath: volume, containerPath: "/v", ...more }] });
    const receiver = await runContainer(daemon, pod, config("receiver", volumeWith(receives)));
    assert.deepEqual(ofOthers(seenMounts(receiver)), []);
    const privileged = { linux: { securityContext: { privileged: true } } };
    const giver = await runContainer(daemon, pod, config("giver", { ...volumeWith(gives), ...privileged }));
    const script = "mkdir /v/inner && mount -t tmpfs inner /v/inner && echo hello >/v/inner/file";
    assert.deepEqual(await exec(daemon, giver, ["sh", "-c", script]), { exitCode: 0, stdout: "", stderr: "" });
    assert.equal(readFileSync(path.join(volume, "inner/file"), "utf8"), "hello\n");
    assert.equal((await exec(daemon, receiver, ["cat", "/v/inner/file"])).stdout, "hello\n");
    execFileSync("umount", [path.join(volume, "inner")]);
    assert.equal((await exec(daemon, receiver, ["ls", "/v/inner"])).stdout, "");
    await removePod(daemon, pod.id);
  });

  it("show a container that watches them the network namespaces of later pods", async () => {
    const { daemon } = suite;
    const hostPath = path.join(daemon.places.runroot, "namespaces/netns");
    const propagation = MountPropagation.PROPAGATION_HOST_TO_CONTAINER;
    const watcherPod = await runPod(daemon, "watcher");
    const mounts = [{ hostPath, containerPath: "/netns", propagation }];
    const watcher = await runContainer(daemon, watcherPod, config("watcher", { mounts }));
    const later = await runPod(daemon, "later");
    const { stdout } = await exec(daemon, watcher, ["cat", "/proc/self/mountinfo"]);
    assert.ok(parseMountInfo(stdout).some((one) => one.mountPoint === `/netns/${later.id}` && one.fsType === "nsfs"));
    await removePod(daemon, later.id);
    await removePod(daemon, watcherPod.id);
  });

  it("are left out by the next daemon, too", async () => {
    const { daemon } = suite;
    const pod = await runPod(daemon, "before");
    const made = await createContainer(daemon, pod, config("before"));
    await daemon.restart("SIGKILL");
    const ownMounts = daemon.footprint().mounts.filter((place) => /\/(rootfs|shm|[a-z]+ns)$/.test(place));
    assert.deepEqual(ownMounts.length, new Set(ownMounts).size, ownMounts.join("\n"));
    await startContainer(daemon, made);
    const after = await runContainer(daemon, pod, config("after"));
    assert.deepEqual(ofOthers(seenMounts(after)), []);
    await removePod(daemon, pod.id);
  });
});

describe("directories of mounts", { skip: isRoot ? false : "needs root" }, () => {
  let folder = "";
  const thread = new KernelThread();
  const told: string[] = [];
  const note = (message: string): number => told.push(message);
  const logger = { debug: note, info: note, warn: note, error: note } as unknown as Logger;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "berth-views-"));
    told.length = 0;
  });
  afterEach(() => {
    // One of a shared mount goes with its peer.
    for (const place of mountsBelow(folder).reverse()) spawnSync("umount", ["--lazy", place]);
    rmSync(folder, { recursive: true });
  });
  after(() => thread.close());

  function open(names: readonly string[]): ReturnType<typeof openMountViews> {
    const directories = names.map((name) => ({
      path: path.join(folder, name),
      mode: 0o711,
      isPublic: name.startsWith("public"),
      stays: name === "public-stays",
    }));
    const isNarrowed = (handler: string): boolean => handler !== "sandboxed";
    return openMountViews({ directories, runroot: folder, isNarrowed }, thread, logger);
  }

  it("are mounts while there are pods, and none afterwards, but for one that is not berth's alone", async () => {
    const [own, ours, foreign] = ["own", "public-ours", "public-stays"].map((name) => path.join(folder, name));
    const views = await open(["own", "public-ours", "public-stays"]);
    assert.deepEqual(mountsBelow(folder), [own, ours, foreign]);
    mkdirSync(path.join(folder, "own/pod"));
    execFileSync("mount", ["-t", "tmpfs", "pod", path.join(folder, "own/pod")]);
    await views.close();
    assert.deepEqual(mountsBelow(folder), [own, ours, foreign, path.join(folder, "own/pod")]);
    const again = await open(["own", "public-ours", "public-stays"]);
    assert.equal(mountsBelow(folder).length, 4);
    execFileSync("umount", [path.join(folder, "own/pod")]);
    await again.close();
    assert.deepEqual(mountsBelow(folder), [foreign]);
  });

  it("have each mount once where `ip netns` has made the public one", async () => {
    execFileSync("mount", ["-t", "tmpfs", "parent", folder]);
    execFileSync("mount", ["--make-shared", folder]);
    const place = path.join(folder, "public-stays");
    mkdirSync(path.join(place, "pod"), { recursive: true });
    execFileSync("mount", ["--bind", place, place]);
    await using _ = await closing(open(["public-stays"]));
    execFileSync("mount", ["-t", "tmpfs", "pod", path.join(place, "pod")]);
    assert.deepEqual(mountsBelow(folder), [folder, place, path.join(place, "pod")]);
  });

  it("are left as they are where mounts are in them twice already", async () => {
    execFileSync("mount", ["-t", "tmpfs", "parent", folder]);
    execFileSync("mount", ["--make-shared", folder]);
    const place = path.join(folder, "public-stays");
    mkdirSync(path.join(place, "pod"), { recursive: true });
    execFileSync("mount", ["--bind", place, place]);
    execFileSync("mount", ["-t", "tmpfs", "pod", path.join(place, "pod")]);
    const before = mountsBelow(folder);
    await using _ = await closing(open(["public-stays"]));
    assert.deepEqual(mountsBelow(folder), before);
    assert.match(told.join("\n"), /it has mounts of others/);
  });

  it("do not hide what was mounted in them before", async () => {
    const place = path.join(folder, "own/before");
    mkdirSync(place, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "before", place]);
    writeFileSync(path.join(place, "file"), "");
    const views = await open(["own"]);
    assert.deepEqual(mountsBelow(folder), [place]);
    assert.ok(existsSync(path.join(place, "file")));
    assert.match(told.join("\n"), /it has mounts of others/);
    await views.close();
  });

  it("leave no descriptor behind", async () => {
    const views = await open(["own"]);
    assert.deepEqual(views.open("sandboxed").command, []);
    const spec = {
      root: { path: "/" },
      mounts: [],
      linux: { namespaces: [] },
    } as unknown as Parameters<ReturnType<typeof views.open>["narrow"]>[0];
    const use = async (): Promise<void> => {
      using view = views.open("runc");
      await view.narrow(spec);
      const [program = "", ...options] = view.command;
      const text = execFileSync(program, [...options, "cat", "/proc/self/mountinfo"], { encoding: "utf8" });
      assert.deepEqual(
        parseMountInfo(text).filter(({ mountPoint }) => mountPoint.startsWith(folder)),
        [],
      );
    };
    await use();
    const before = readdirSync("/proc/self/fd").length;
    for (let times = 0; times < 5; times += 1) await use();
    const isClosed = (): true | undefined => (readdirSync("/proc/self/fd").length <= before ? true : undefined);
    await eventually("another thread to close them", isClosed);
    await views.close();
    assert.deepEqual(mountsBelow(folder), []);
  });
});

async function closing(opening: ReturnType<typeof openMountViews>): Promise<AsyncDisposable> {
  const views = await opening;
  return { [Symbol.asyncDispose]: () => views.close() };
}

/** runc that notes what is mounted where it creates a container. */
function observedRuntime(folder: string, seen: string): string {
  const program = findProgram(process.env["BERTH_TEST_RUNTIME"] ?? "runc") ?? "runc";
  const file = path.join(folder, "observed-runc");
  writeFileSync(
    file,
    `#!/bin/sh
case " $* " in *" create "*) for id in "$@"; do :; done; cat /proc/self/mountinfo >'${seen}'/"$id" ;; esac
exec '${program}' "$@"
`,
  );
  chmodSync(file, 0o755);
  return file;
}
