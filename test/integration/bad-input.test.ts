import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createServer } from "node:net";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { ImageService, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import type { CodeName } from "#cri/client.ts";
import { busyboxConfig, busyboxEntries } from "../support/busybox.ts";
import { startDaemon } from "../support/daemon.ts";
import { bridgeConflist } from "../support/daemon-config.ts";
import { eventually } from "../support/eventually.ts";
import { startFaultyProxy } from "../support/faulty-proxy.ts";
import type { Footprint } from "../support/footprint.ts";
import { useDaemon } from "../support/fixture.ts";
import { buildImage, content, withManifest, type BuiltImage, type Content } from "../support/image-builder.ts";
import {
  containerConfig,
  createContainer,
  podConfig,
  pull,
  removePod,
  runContainer,
  runPod,
  runToEnd,
  type ContainerConfig,
  untilTerminated,
} from "../support/pods.ts";
import { freePort, startRegistry } from "../support/registry.ts";
import { rejects } from "../support/rejects.ts";
import { cannotRunPods } from "../support/requirements.ts";
import type { TarPart } from "../support/tar.ts";

const { runPodSandbox, createContainer: createRpc, version } = RuntimeService.method;
const { pullImage } = ImageService.method;

/** Codes for which the issue leaves room: what matters there are the words and that nothing stays. */
const anyFailure: readonly CodeName[] = [
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "NOT_FOUND",
  "FAILED_PRECONDITION",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "RESOURCE_EXHAUSTED",
  "PERMISSION_DENIED",
  "ABORTED",
];

let serial = 0;
function smallImage(entries?: readonly TarPart[]): BuiltImage {
  serial += 1;
  return buildImage({ layers: [{ entries: entries ?? [{ path: "file", content: `${process.pid} ${serial}` }] }] });
}

describe("bad input about images", { skip: cannotRunPods() }, () => {
  const suite = useDaemon();
  let before: Footprint;
  beforeEach(() => {
    before = suite.daemon.footprint();
  });
  afterEach(async () => {
    await suite.daemon.holdsNoMoreThan(before);
    assert.equal((await suite.daemon.client.call(version, {})).runtimeApiVersion, "v1");
  });

  it("an unknown image is not found, and the message has its name and the registry's answer", async () => {
    const { daemon, registry } = suite;
    await rejects(
      pull(daemon, `${registry.host}/no/such:tag`),
      "NOT_FOUND",
      /no\/such:tag/,
      /404|manifest unknown|MANIFEST_UNKNOWN|NAME_UNKNOWN/i,
    );
  });

  it("an unreachable registry has the word that the kubelet recognises", async () => {
    const { daemon } = suite;
    const port = await freePort();
    await rejects(
      pull(daemon, `127.0.0.1:${port}/a/b:c`),
      "UNKNOWN",
      /^RegistryUnavailable/,
      new RegExp(`127.0.0.1:${port}`),
    );
  });

  it("an invalid reference is refused", async () => {
    const { daemon } = suite;
    for (const image of ["", "127.0.0.1:1/UPPER/case:tag", "a b", "name:", "name@sha256:12", "http://host/name"]) {
      await rejects(daemon.client.call(pullImage, { image: { image } }), "INVALID_ARGUMENT");
    }
    await rejects(daemon.client.call(pullImage, {}), "INVALID_ARGUMENT");
  });

  it("a layer with other bytes than its digest says is refused", async () => {
    const { daemon, registry } = suite;
    const built = smallImage();
    const [layer] = built.layers;
    assert.ok(layer !== undefined);
    await registry.push(built, "bad/corrupt", "v1");
    await using proxy = await startFaultyProxy(registry.host, ({ target }) =>
      target.endsWith(layer.digest) ? { kind: "corrupt", fromByte: 20 } : undefined,
    );
    await using other = await startDaemon({ insecureRegistries: [proxy.host] });
    await rejects(pull(other, `${proxy.host}/bad/corrupt:v1`), anyFailure, new RegExp(layer.digest.slice(7, 19)));
    assert.ok(!existsSync(path.join(daemon.places.root, "no")));
  });

  it("a manifest other than its digest says is refused", async () => {
    const { registry } = suite;
    const [built, other] = [smallImage(), smallImage()];
    await registry.push(built, "bad/manifest", "v1");
    const headers = { "content-type": other.manifest.mediaType };
    await using proxy = await startFaultyProxy(registry.host, ({ target }) =>
      target.includes("/manifests/sha256:")
        ? { kind: "answer", status: 200, body: other.manifest.bytes.toString("utf8"), headers }
        : undefined,
    );
    await using daemon = await startDaemon({ insecureRegistries: [proxy.host] });
    const reference = `${proxy.host}/bad/manifest@${built.manifest.digest}`;
    await rejects(pull(daemon, reference), anyFailure, /digest/i);
  });

  it("truncated and garbage layers are refused", async () => {
    const { daemon, registry } = suite;
    const whole = smallImage();
    const [layer] = whole.layers;
    assert.ok(layer !== undefined);
    const garbage = content(layer.mediaType, Buffer.from("this is not gzip at all, in no way".repeat(20)));
    const truncated = content(layer.mediaType, layer.bytes.subarray(0, layer.bytes.length - 20));
    for (const bad of [garbage, truncated]) {
      const reference = await pushWithLayer(whole, bad, "bad/layer");
      await rejects(pull(daemon, reference), anyFailure, new RegExp(bad.digest.slice(7, 19)));
    }
    assert.ok(registry.host.length > 0);
  });

  it("a layer whose uncompressed digest is not the one of the configuration is refused", async () => {
    const { daemon } = suite;
    const [one, other] = [smallImage(), smallImage()];
    const [layer] = other.layers;
    assert.ok(layer !== undefined);
    await rejects(pull(daemon, await pushWithLayer(one, layer, "bad/diff-id")), anyFailure, /diff/i);
  });

  it("a manifest that lies about sizes is refused", async () => {
    const { daemon, registry } = suite;
    for (const lie of [1, 1 << 30]) {
      const lying = withManifest(smallImage(), ({ layers }) => {
        const [layer] = layers;
        if (layer !== undefined) layer.size = lie;
      });
      const reference = await registry.push(lying, "bad/size", `s${lie}`);
      await rejects(pull(daemon, reference), anyFailure, /size|bytes/i);
    }
  });

  it("paths and links that lead out of the layer never touch the host", async () => {
    const { daemon, registry } = suite;
    const target = mkdtempSync(path.join(tmpdir(), "berth-escape-"));
    const up = "../".repeat(40);
    const escapes: TarPart[][] = [
      [{ path: `${up}${target.slice(1)}/by-dots`, content: "x" }],
      [{ path: `${target}/by-absolute-path`, content: "x" }],
      [
        { path: "link", kind: "symlink", target },
        { path: "link/by-symlink", content: "x" },
      ],
      [
        { path: "link", kind: "symlink", target: `${up}${target.slice(1)}` },
        { path: "link/by-relative-symlink", content: "x" },
      ],
      [{ path: "hard", kind: "hardlink", target: `${up}etc/hostname` }],
    ];
    for (const [index, entries] of escapes.entries()) {
      const reference = await registry.push(smallImage(entries), "bad/escape", `e${index}`);
      const outcome = await pull(daemon, reference).catch(() => undefined);
      if (outcome !== undefined)
        await daemon.client.call(ImageService.method.removeImage, { image: { image: reference } });
      assert.deepEqual(execFileSync("ls", ["-A", target], { encoding: "utf8" }), "");
    }
    rmSync(target, { recursive: true });
  });

  /** Pushes an image whose manifest names another first layer. */
  async function pushWithLayer(image: BuiltImage, layer: Content, repository: string): Promise<string> {
    const { registry } = suite;
    await registry.pushBlob(repository, layer);
    const changed = withManifest(image, ({ layers }) => {
      layers[0] = { mediaType: layer.mediaType, digest: layer.digest, size: layer.bytes.length };
    });
    serial += 1;
    return registry.push(changed, repository, `t${serial}`);
  }
});

describe("bad input about pods and containers", { skip: cannotRunPods() }, () => {
  const suite = useDaemon();
  let before: Footprint;
  beforeEach(() => {
    before = suite.daemon.footprint();
  });
  afterEach(async () => {
    const { client } = suite.daemon;
    assert.equal((await client.call(version, {})).runtimeApiVersion, "v1");
    await suite.daemon.removeAllPods();
    await suite.daemon.holdsNoMoreThan(before);
  });

  it("empty metadata is refused", async () => {
    const { daemon, busybox } = suite;
    const { client } = daemon;
    await rejects(client.call(runPodSandbox, {}), "INVALID_ARGUMENT");
    await rejects(client.call(runPodSandbox, { config: {} }), "INVALID_ARGUMENT");
    await rejects(
      client.call(runPodSandbox, { config: { metadata: { name: "", namespace: "n", uid: "u" } } }),
      "INVALID_ARGUMENT",
    );
    const pod = await runPod(daemon, "metadata");
    await rejects(client.call(createRpc, { podSandboxId: pod.id, sandboxConfig: pod.config }), "INVALID_ARGUMENT");
    const nameless = { image: { image: busybox }, command: ["true"] };
    await rejects(createContainer(daemon, pod, nameless), "INVALID_ARGUMENT");
    await rejects(createContainer(daemon, pod, { metadata: { name: "n" }, command: ["true"] }), "INVALID_ARGUMENT");
  });

  it("an unknown runtime handler is refused by name", async () => {
    await rejects(runPod(suite.daemon, "handler", {}, "no-such-handler"), anyFailure, /no-such-handler/);
  });

  it("a sysctl that would change the whole machine is not set, and the log says so", async () => {
    const { daemon } = suite;
    const hostValue = readFileSync("/proc/sys/kernel/panic", "utf8");
    const sysctls = { "kernel.panic": String(Number(hostValue) + 1) };
    await runPod(daemon, "sysctl", { linux: { cgroupParent: daemon.places.cgroupParent, sysctls } });
    assert.equal(readFileSync("/proc/sys/kernel/panic", "utf8"), hostValue);
    assert.match(daemon.log(), /kernel\.panic/);
  });

  it("an image that is not there is not found when a container wants it", async () => {
    const { daemon } = suite;
    const pod = await runPod(daemon, "image");
    const config = containerConfig("127.0.0.1:1/no/image:here", "main", ["true"]);
    await rejects(createContainer(daemon, pod, config), "NOT_FOUND", /no\/image:here/);
  });

  it("a command that does not exist in the image fails the start and is named", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "command");
    await rejects(
      runContainer(daemon, pod, containerConfig(busybox, "main", ["/no/such/program"])),
      anyFailure,
      /\/no\/such\/program/,
    );
  });

  it("an unknown user is refused by name", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "user");
    const more: ContainerConfig = { linux: { securityContext: { runAsUsername: "nobody-knows" } } };
    await rejects(
      createContainer(daemon, pod, containerConfig(busybox, "main", ["true"], more)),
      anyFailure,
      /nobody-knows/,
    );
  });

  it("a mount source that cannot be is refused, and a missing one is made", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "mounts");
    const folder = path.join(daemon.places.folder, "volumes");
    mkdirSync(folder, { recursive: true });
    symlinkSync("b", path.join(folder, "a"));
    symlinkSync("a", path.join(folder, "b"));
    const mounting = (name: string): ContainerConfig => ({
      mounts: [{ hostPath: path.join(folder, name), containerPath: "/mnt" }],
    });
    const cycle = containerConfig(busybox, "cycle", ["true"], mounting("a"));
    await rejects(createContainer(daemon, pod, cycle), anyFailure, /volumes\/a/);
    const missing = await runToEnd(daemon, pod, containerConfig(busybox, "missing", ["ls", "/mnt"], mounting("made")));
    assert.equal(missing.status.exitCode, 0);
    assert.ok(existsSync(path.join(folder, "made")));
  });

  it("a pod that does not exist is not found", async () => {
    const { daemon, busybox } = suite;
    const request = {
      podSandboxId: "0".repeat(64),
      config: containerConfig(busybox, "main", ["true"]),
      sandboxConfig: podConfig(daemon, "none"),
    };
    await rejects(daemon.client.call(createRpc, request), "NOT_FOUND");
  });

  it("an id prefix that fits several is refused as ambiguous", async () => {
    const { daemon } = suite;
    const pods = await Promise.all(Array.from({ length: 17 }, (_, index) => runPod(daemon, `prefix-${index}`)));
    const firsts = pods.map(({ id }) => id.slice(0, 1));
    const ambiguous = firsts.find((letter, index) => firsts.indexOf(letter) !== index);
    assert.ok(ambiguous !== undefined, "of 17 ids two begin alike");
    const { podSandboxStatus } = RuntimeService.method;
    await rejects(
      daemon.client.call(podSandboxStatus, { podSandboxId: ambiguous }),
      ["INVALID_ARGUMENT", "NOT_FOUND"],
      /ambiguous|more than one|several|multiple/i,
    );
  });

  it("containers of two equal requests at once are one container", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "equal");
    const config = containerConfig(busybox, "main", untilTerminated);
    const ids = await Promise.all([createContainer(daemon, pod, config), createContainer(daemon, pod, config)]);
    assert.equal(ids[0], ids[1]);
  });
});

describe("a machine that is not as it should be", { skip: cannotRunPods() }, () => {
  it("without a network configuration the network is not ready, pods fail in time, and both end when one appears", async () => {
    await using daemon = await startDaemon({ conflist: null });
    const ready = async (): Promise<boolean | undefined> => {
      const { status } = await daemon.client.call(RuntimeService.method.status, {});
      return status?.conditions.find(({ type }) => type === "NetworkReady")?.status;
    };
    assert.equal(await ready(), false);
    const config = podConfig(daemon, "waiting");
    await rejects(daemon.client.call(runPodSandbox, { config }, { timeoutMs: 1000 }), [
      "DEADLINE_EXCEEDED",
      "UNAVAILABLE",
      "FAILED_PRECONDITION",
      "UNKNOWN",
    ]);
    writeFileSync(path.join(daemon.places.conflistFolder, "10-late.conflist"), bridgeConflist(daemon.places));
    await eventually("the network to be ready", async () => ((await ready()) === true ? true : undefined));
    const { podSandboxId } = await daemon.client.call(runPodSandbox, { config });
    await removePod(daemon, podSandboxId);
  });

  it("a CNI plugin that is missing is named, and the network is not ready", async () => {
    const conflist = JSON.stringify({ cniVersion: "1.0.0", name: "n", plugins: [{ type: "no-such-plugin" }] });
    await using daemon = await startDaemon({ conflist });
    const { status } = await daemon.client.call(RuntimeService.method.status, {});
    const network = status?.conditions.find(({ type }) => type === "NetworkReady");
    assert.equal(network?.status, false);
    assert.match(network.message, /no-such-plugin/);
  });

  it("a full disk fails the pull with its reason, and a pull after that works", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "berth-full-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", folder]);
    try {
      await using registry = await startRegistry();
      const noise = Buffer.alloc(40 << 20, "not much in it ");
      const big = buildImage({ layers: [{ entries: [{ path: "big", content: noise }] }] });
      const reference = await registry.push(big, "bad/big", "v1");
      const fits = await registry.push(
        buildImage({ layers: [{ entries: busyboxEntries() }], config: busyboxConfig }),
        "good/small",
        "v1",
      );
      await using daemon = await startDaemon({ insecureRegistries: [registry.host], root: path.join(folder, "root") });
      const before = daemon.footprint();
      await rejects(pull(daemon, reference), ["RESOURCE_EXHAUSTED", "UNKNOWN", "INTERNAL"], /space|ENOSPC/i);
      await daemon.holdsNoMoreThan(before);
      await pull(daemon, fits);
    } finally {
      execFileSync("umount", ["--lazy", folder]);
      rmSync(folder, { recursive: true });
    }
  });

  it("a registry that accepts connections and says nothing does not hold up other requests", async () => {
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const address = silent.address();
    assert.ok(address !== null && typeof address === "object");
    try {
      const host = `127.0.0.1:${address.port}`;
      await using daemon = await startDaemon({ insecureRegistries: [host] });
      const hangUp = new AbortController();
      const pulling = daemon.client.call(pullImage, { image: { image: `${host}/a/b:c` } }, { signal: hangUp.signal });
      pulling.catch(() => {});
      const pod = await runPod(daemon, "meanwhile");
      await removePod(daemon, pod.id);
      hangUp.abort();
      await rejects(pulling, "CANCELLED");
    } finally {
      silent.close();
    }
  });
});
