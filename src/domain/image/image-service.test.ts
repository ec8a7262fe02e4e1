import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DomainError } from "#errors/domain-error.ts";
import type { Digest } from "#spec/oci-image.ts";
import { busybox, exampleImages, layer, payload, pullRequest } from "./example-images.fake.ts";

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
    image.source.open = async () => new ReadableStream();
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
    const open = image.source.open.bind(image.source);
    for (const kind of ["unavailable", "resource-exhausted"] as const) {
      image.source.open = async (blob, ...rest) => {
        if (blob.size !== layer.length) throw new DomainError(kind, "it does not fit");
        return await open(blob, ...rest);
      };
      await assert.rejects(images.pull(pullRequest(busybox)), { kind, message: /it does not fit/ });
      assert.equal(storage.layers.size, kind === "unavailable" ? 1 : 0);
    }
    assert.equal(storage.blobs.size, 0);
    image.source.open = open;
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
    registry.addImage(busybox, [layer]).source.open = async () => {
      opened.resolve();
      return new ReadableStream();
    };
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
    const open = source.open.bind(source);
    const middle = Promise.withResolvers<void>();
    source.open = async (...asked) => {
      await open(...asked);
      return ReadableStream.from(inPieces(content, middle.promise));
    };
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

describe("an image's configuration", () => {
  it("is read as it was checked: one string is a list of one, null is nothing", async () => {
    const { images, registry } = exampleImages();
    const config = JSON.parse('{"Cmd":"/bin/sh","Entrypoint":null,"Env":["A=1"],"User":null}') as object;
    registry.addImage(busybox, [layer], { config });
    await images.pull(pullRequest(busybox));
    assert.deepEqual(images.use(busybox).config.config, { Cmd: ["/bin/sh"], Env: ["A=1"] });
  });

  it("that the disk does not give leaves an image that nobody is told of until it is pulled again, and that can be removed", async () => {
    const before = exampleImages();
    before.registry.addImage(busybox, [layer]);
    const id = await before.images.pull(pullRequest(busybox));
    const { registry, storage } = before;
    const started = async (): Promise<ReturnType<typeof exampleImages>["images"]> => {
      const { images } = exampleImages({ registry, storage });
      storage.failNext("readBlob", Object.assign(new Error("EIO: the disk is ill"), { code: "EIO" }));
      await images.load();
      return images;
    };
    const images = await started();
    assert.deepEqual([images.find(busybox), images.find(id), images.list("")], [undefined, undefined, []]);
    assert.throws(() => images.use(busybox), { kind: "failed-precondition", message: /configuration.*pull it again/ });
    await images.pull(pullRequest(busybox));
    assert.deepEqual([images.find(busybox)?.id, images.list("").length], [id, 1]);
    await (await started()).remove(id);
    assert.equal(storage.image(id), undefined);
  });

  it("that is lost, or nothing that berth understands, takes the image with it at the start", async () => {
    for (const bytes of [undefined, Buffer.from("{")]) {
      const { images, registry, storage } = exampleImages();
      registry.addImage(busybox, [layer]);
      const id = await images.pull(pullRequest(busybox));
      if (bytes === undefined) storage.blobs.delete(`sha256:${id}`);
      else storage.blobs.set(`sha256:${id}`, bytes);
      const next = exampleImages({ registry, storage });
      await next.images.load();
      assert.deepEqual([next.images.list(""), storage.images(), storage.layers.size], [[], [], 0]);
      await next.images.pull(pullRequest(busybox));
      assert.equal(next.images.find(busybox)?.id, id);
    }
  });

  it("that cannot be read back fails the pull, and the image is not told of before it was", async () => {
    const { images, registry, storage } = exampleImages();
    registry.addImage(busybox, [layer]);
    const seen: unknown[] = [];
    const readBlob = storage.readBlob.bind(storage);
    storage.readBlob = () => {
      seen.push(images.find(busybox));
      return Promise.reject(new Error("EIO: the disk is ill"));
    };
    await assert.rejects(images.pull(pullRequest(busybox)), /the disk is ill/);
    assert.deepEqual([seen, images.list("")], [[undefined], []]);
    storage.readBlob = readBlob;
    await images.pull(pullRequest(busybox));
    assert.equal(images.list("").length, 1);
  });

  it("that is lost is fetched again for the node's own images", async () => {
    const before = exampleImages();
    before.registry.addImage(busybox, [layer]);
    const id = await before.images.pull(pullRequest(busybox));
    before.storage.blobs.delete(`sha256:${id}`);
    const { images } = exampleImages({ registry: before.registry, storage: before.storage });
    await images.load();
    assert.equal((await images.ensure(busybox)).config.os, "linux");
  });
});

describe("the signature policy", () => {
  it("is asked before anything of an image is fetched", async () => {
    const { images, registry, storage, policies } = exampleImages();
    registry.addImage(busybox, [layer]);
    policies.rejected.add("docker.io/library/busybox");
    await assert.rejects(images.pull(pullRequest(busybox, { namespace: "team" })), {
      kind: "signature-validation-failed",
      message: /^SignatureValidationFailed: /,
    });
    assert.deepEqual([registry.opened, storage.layers.size, policies.checks[0]?.namespace], [[], 0, "team"]);
  });

  it("gets the signatures that lie beside the image, which are kept for checks when it is used", async () => {
    const { images, registry, policies } = exampleImages();
    const { manifestDigest } = registry.addImage(busybox, [layer]);
    registry.addArtifact(`docker.io/library/busybox:${manifestDigest.replace(":", "-")}.sig`, [payload]);
    policies.signed.add("docker.io/library/busybox");
    policies.atUse = true;
    const id = await images.pull(pullRequest(busybox));
    const asked = registry.resolved.length;
    await images.allow({ image: id, userSpecifiedImage: "busybox:1" }, "team");
    assert.equal(registry.resolved.length, asked);
    const signature = { kind: "sigstore", digest: manifestDigest, payload: "eyJjcml0aWNhbCI6e319", signature: "c2ln" };
    assert.deepEqual(policies.checks.at(-1)?.known, [signature]);
  });

  it("gets what cosign puts beside a signature: the log's promise, and certificates", async () => {
    const { images, registry, policies } = exampleImages();
    const { manifestDigest } = registry.addImage(busybox, [layer]);
    const cosign = { bundle: "{}", certificate: "a certificate", chain: "its authorities" };
    const further = Object.entries(cosign).map(([name, value]) => [`dev.sigstore.cosign/${name}`, value]);
    const annotations = { ...payload.annotations, ...Object.fromEntries(further) };
    const place = `docker.io/library/busybox:${manifestDigest.replace(":", "-")}.sig`;
    registry.addArtifact(place, [{ ...payload, annotations }]);
    policies.signed.add("docker.io/library/busybox");
    policies.atUse = true;
    const id = await images.pull(pullRequest(busybox));
    await images.allow({ image: id, userSpecifiedImage: "busybox:1" }, "team");
    const [known] = policies.checks.at(-1)?.known ?? [];
    assert.ok(known?.kind === "sigstore");
    assert.deepEqual([known.rekorBundle, known.certificate, known.chain], ["{}", "a certificate", "its authorities"]);
  });

  it("refuses the use of an image that another namespace's policy let in", async () => {
    const { images, registry, policies } = exampleImages();
    registry.addImage(busybox, [layer]);
    const id = await images.pull(pullRequest(busybox));
    policies.signed.add("docker.io/library/busybox");
    policies.atUse = true;
    for (const userSpecifiedImage of ["busybox:1", ""])
      await assert.rejects(images.allow({ image: id, userSpecifiedImage }, "strict"), {
        kind: "signature-validation-failed",
      });
  });

  it("is not asked about the use of images when nobody has chosen one", async () => {
    const { images, policies } = exampleImages();
    policies.rejected.add("docker.io/library/busybox");
    await images.allow({ image: "busybox", userSpecifiedImage: "busybox" }, "team");
    assert.deepEqual(policies.checks, []);
  });
});

describe("an image without any file", () => {
  it("has a size, since the kubelet refuses one that has none", async () => {
    const { images, registry, storage } = exampleImages();
    registry.addImage(busybox, []);
    await images.pull(pullRequest(busybox));
    assert.equal(storage.images()[0]?.unpackedSizeBytes, 0);
    assert.ok((images.find(busybox)?.sizeBytes ?? 0) > 0);
  });
});

describe("an image that is listed again", () => {
  it("is the same object until what it says has changed", async () => {
    const pinned: string[] = [];
    const { images, registry } = exampleImages({ pinnedPatterns: () => pinned });
    registry.addImage(busybox, [layer]);
    registry.addImage("docker.io/library/busybox:2", [layer]);
    registry.addImage("docker.io/library/other:1", [layer, layer]);
    await images.pull(pullRequest(busybox));
    const first = images.find(busybox);
    await images.pull(pullRequest("other:1"));
    assert.equal(images.find(busybox), first);
    assert.ok(first !== undefined && images.list("").includes(first));
    await images.pull(pullRequest("busybox:2"));
    const renamed = images.find(busybox);
    assert.equal(renamed?.repoTags.length, 2);
    pinned.push("*busybox*");
    assert.equal(images.find(busybox)?.pinned, true);
    pinned.pop();
    assert.equal(images.find(busybox)?.pinned, false);
  });
});

describe("the removal of an image", () => {
  it("by one of its tags takes away the tag, by its last one or its id everything", async () => {
    const { images, registry, storage } = exampleImages();
    for (const tag of ["1", "2", "3"]) registry.addImage(`docker.io/library/busybox:${tag}`, [layer]);
    for (const tag of ["1", "2", "3"]) await images.pull(pullRequest(`busybox:${tag}`));
    await images.remove("busybox:1");
    assert.deepEqual(images.list("")[0]?.repoTags, ["docker.io/library/busybox:2", "docker.io/library/busybox:3"]);
    await images.remove(images.list("")[0]?.id ?? "");
    assert.deepEqual([images.list(""), storage.layers.size], [[], 0]);
    await images.remove("busybox:1");
  });

  it("by digest leaves an image that has a tag", async () => {
    const { images, registry } = exampleImages();
    const { manifestDigest } = registry.addImage(busybox, [layer]);
    await images.pull(pullRequest(busybox));
    await images.remove(`docker.io/library/busybox@${manifestDigest}`);
    assert.deepEqual([images.find(busybox)?.repoTags, images.find(busybox)?.repoDigests], [[busybox], []]);
    await images.remove(busybox);
    assert.deepEqual(images.list(""), []);
  });

  it("is refused while a container uses it", async () => {
    const { images, registry } = exampleImages({ usersOf: () => [{ id: "c1", as: "root" }] });
    registry.addImage(busybox, [layer]);
    await images.pull(pullRequest(busybox));
    await assert.rejects(images.remove(busybox), { kind: "failed-precondition", message: /used by .*c1$/ });
  });

  it("takes one of several names from what containers are made of, and none from what a volume shows", async () => {
    const other = "quay.io/other/busybox:2";
    for (const as of ["root", "volume"] as const) {
      const { images, registry } = exampleImages({ usersOf: () => [{ id: "c1", as }] });
      for (const name of [busybox, other]) registry.addImage(name, [layer]);
      for (const name of [busybox, other]) await images.pull(pullRequest(name));
      const removal = images.remove(other);
      if (as === "root") await removal;
      else await assert.rejects(removal, { kind: "failed-precondition", message: /used by .*c1, as a volume$/ });
      assert.deepEqual(images.find(busybox)?.repoTags.length, as === "root" ? 1 : 2);
    }
  });
});

describe("a short name", () => {
  it("that no registry may be asked for still finds docker.io's image that is here", async () => {
    const { images, registry } = exampleImages();
    registry.addImage(busybox, [layer]);
    const id = await images.pull(pullRequest(busybox));
    const candidates = registry.candidates.bind(registry);
    registry.candidates = (name) => {
      if (!name.includes("/")) throw new DomainError("invalid-argument", "no search registries");
      return candidates(name);
    };
    assert.equal(images.find("busybox:1")?.id, id);
    assert.equal(images.find("no such name"), undefined);
  });
});

describe("an artifact", () => {
  const model = "quay.io/models/tiny:v1";
  const titled = (title: string | undefined, text: string) => ({
    mediaType: "application/octet-stream",
    bytes: Buffer.from(text),
    ...(title === undefined ? {} : { annotations: { "org.opencontainers.image.title": title } }),
  });

  it("is kept as files under their titles, those without one under their digest", async () => {
    const { images, registry, storage } = exampleImages();
    const { manifest } = registry.addArtifact(model, [titled("data/model.bin", "weights"), titled(undefined, "other")]);
    await images.pull(pullRequest(model));
    const [first, second] = manifest.layers.map(({ digest }) => digest);
    assert.ok(first !== undefined && second !== undefined);
    assert.deepEqual(images.content(model).files, [
      { name: "data/model.bin", path: storage.blobPath(first) },
      { name: second.slice("sha256:".length), path: storage.blobPath(second) },
    ]);
    assert.throws(() => images.use(model), { kind: "invalid-argument", message: /artifact/ });
    assert.equal(storage.blobs.size, 3, "the manifest and the files; nobody asks for its configuration");
  });

  it("is no volume where artifacts are not to be mounted", async () => {
    const { images, registry } = exampleImages({ mountsArtifacts: false });
    registry.addArtifact(model, [titled("a", "a")]);
    await images.pull(pullRequest(model));
    assert.throws(() => images.content(model), { kind: "failed-precondition", message: /oci_artifact_mount_support/ });
  });
});
