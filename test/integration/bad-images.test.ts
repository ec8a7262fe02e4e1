import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { ImageService, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { startDaemon } from "../support/daemon.ts";
import { startFaultyProxy } from "../support/faulty-proxy.ts";
import type { Footprint } from "../support/footprint.ts";
import { useDaemon } from "../support/fixture.ts";
import { buildImage, content, withManifest, type BuiltImage, type Content } from "../support/image-builder.ts";
import { pull } from "../support/pods.ts";
import { freePort } from "../support/registry.ts";
import { anyFailure, rejects } from "../support/rejects.ts";
import { cannotRunPods } from "../support/requirements.ts";
import type { TarPart } from "../support/tar.ts";

const { version } = RuntimeService.method;
const { pullImage } = ImageService.method;

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
