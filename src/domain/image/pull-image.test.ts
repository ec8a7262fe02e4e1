import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DomainError } from "#errors/domain-error.ts";
import type { Digest } from "#spec/oci-image.ts";
import { busybox, exampleImages, layer, openedBy, payload, pullRequest } from "./example-images.fake.ts";

/** The first seven bytes, then, when told to go on, the rest. */
async function* inPieces(bytes: Buffer, goOn: Promise<void>): AsyncGenerator<Uint8Array> {
  yield bytes.subarray(0, 7);
  await goOn;
  yield bytes.subarray(7);
}

describe("a pull", () => {
  it("leaves an image that is found by its name, id and digest", async () => {
    const { images, registry } = exampleImages();
    const { manifestDigest } = registry.addImage(busybox, [layer]);
    const id = await images.pull(pullRequest("busybox:1"));
    assert.match(id, /^[0-9a-f]{64}$/);
    for (const name of ["busybox:1", busybox, id, id.slice(0, 12), `docker.io/library/busybox@${manifestDigest}`])
      assert.equal(images.find(name)?.id, id, name);
  });

  it("is joined by others for the same image, but not by those with other credentials", async () => {
    const { images, registry } = exampleImages();
    registry.addImage(busybox, [layer]);
    const others = [
      { auth: { username: "a", password: "b" } },
      { namespace: "other" },
      { authFile: "/etc/pause.json" },
    ];
    const requests = [{}, {}, ...others];
    await Promise.all(requests.map((changes) => images.pull(pullRequest(busybox, changes))));
    assert.equal(registry.resolved.length, 4);
  });

  it("tells its observer of layers that were fetched, of those that were there, and of its end", async () => {
    const { images, registry, heard } = exampleImages();
    registry.addImage(busybox, [layer]);
    registry.addImage("docker.io/library/busybox:2", [layer, Buffer.from("another layer")]);
    await images.pull(pullRequest(busybox));
    await images.pull(pullRequest("busybox:2"));
    await assert.rejects(images.pull(pullRequest("busybox:3")), { kind: "not-found" });
    assert.deepEqual(heard, [
      "fetched 7",
      `pulled ${busybox}`,
      "present 7",
      "fetched 13",
      "pulled busybox:2",
      "failed busybox:3: MANIFEST_UNKNOWN",
    ]);
  });

  it("uses the credential file that waits for its namespace, and gives it back", async () => {
    let given = 0;
    const file = { file: "/auth/in-use/1.json", [Symbol.asyncDispose]: async () => void (given += 1) };
    const { images, registry } = exampleImages({ namespacedAuth: { take: async () => file, async sweep() {} } });
    registry.addImage(busybox, [layer]);
    await images.pull(pullRequest(busybox, { namespace: "team" }));
    await assert.rejects(images.pull(pullRequest("busybox:none", { namespace: "team" })));
    assert.deepEqual([...new Set(registry.authFiles), given], ["/auth/in-use/1.json", 2]);
  });

  it("that the node needs itself is made with the node's credential file, and only when the image is missing", async () => {
    const { images, registry } = exampleImages({ nodeAuthFile: () => "/etc/pause.json" });
    registry.addImage(busybox, [layer]);
    assert.equal((await images.ensure(busybox)).name, busybox);
    await images.ensure(busybox);
    assert.deepEqual(registry.authFiles, ["/etc/pause.json"]);
  });

  it("without progress for the time that is allowed is given up", async () => {
    const settings = { maxParallelLayerDownloads: 1, platform: undefined, progressTimeoutMs: 20 };
    const { images, registry, heard } = exampleImages({ settings });
    const image = registry.addImage(busybox, [layer]);
    image.source.download = openedBy(async () => new ReadableStream());
    await assert.rejects(images.pull(pullRequest(busybox)), {
      kind: "registry-unavailable",
      message: /made no progress for 0.02 s/,
    });
    assert.deepEqual(heard, [`failed ${busybox}: CONNECTION_TIMEOUT`]);
  });

  it("that finds no room leaves nothing behind, one that fails otherwise keeps its layers for the next", async () => {
    const { images, registry, storage } = exampleImages({
      settings: { maxParallelLayerDownloads: 1, platform: undefined, progressTimeoutMs: 0 },
    });
    const image = registry.addImage(busybox, [layer, Buffer.from("another layer")]);
    const download = image.source.download.bind(image.source);
    for (const kind of ["unavailable", "resource-exhausted"] as const) {
      image.source.download = openedBy(async (blob, ...asked) => {
        if (blob.size !== layer.length) throw new DomainError(kind, "it does not fit");
        return await download(blob).open(...asked);
      });
      await assert.rejects(images.pull(pullRequest(busybox)), { kind, message: /it does not fit/ });
      assert.equal(storage.layers.size, kind === "unavailable" ? 1 : 0);
    }
    assert.equal(storage.blobs.size, 0);
    image.source.download = download;
    await images.pull(pullRequest(busybox));
  });

  it("of what could have no id here is refused before anything is fetched or kept", async () => {
    const { images, registry, storage } = exampleImages();
    const digest: Digest = `sha512:${"ab".repeat(64)}`;
    registry.addImage(busybox, [layer]).manifest.config.digest = digest;
    registry.addArtifact("quay.io/models/tiny:v1", [payload]).manifestDigest = digest;
    for (const name of [busybox, "quay.io/models/tiny:v1"])
      await assert.rejects(images.pull(pullRequest(name)), { kind: "invalid-argument", message: /sha512:.*sha256/ });
    assert.deepEqual([registry.opened, storage.blobs.size], [[], 0]);
  });

  it("is told that the daemon stops when that ends it", async () => {
    const { images, registry } = exampleImages();
    const opened = Promise.withResolvers<void>();
    registry.addImage(busybox, [layer]).source.download = openedBy(async () => {
      opened.resolve();
      return new ReadableStream();
    });
    const pull = assert.rejects(images.pull(pullRequest(busybox)), { kind: "unavailable", message: /is stopping/ });
    await opened.promise;
    images.close();
    await pull;
  });

  it("reports the bytes of an artifact's files as they come, which are progress", async () => {
    const { images, registry, heard } = exampleImages();
    const content = Buffer.from("weights of a model");
    const blob = { mediaType: "application/octet-stream", bytes: content };
    const { source, manifest } = registry.addArtifact(busybox, [blob]);
    const middle = Promise.withResolvers<void>();
    source.download = openedBy(async () => ReadableStream.from(inPieces(content, middle.promise)));
    const [file] = manifest.layers;
    const seen: number[] = [];
    const watching = (async () => {
      for await (const [progress] of images.watchPull(busybox, new AbortController().signal)) {
        seen.push(progress?.doneBytes ?? 0);
        if (progress?.doneBytes === 7) middle.resolve();
      }
    })();
    await images.pull(pullRequest(busybox));
    await watching;
    assert.deepEqual([seen.includes(7), seen.at(-1)], [true, file?.size]);
    assert.ok(heard.includes(`fetched ${content.length}`));
  });
});
