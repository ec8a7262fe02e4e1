import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DomainError } from "#errors/domain-error.ts";
import { busybox, exampleImages, layer, payload, pullRequest } from "./example-images.fake.ts";

describe("an image's configuration", () => {
  it("is taken from what the storage has read at the start, and not read again", async () => {
    const { images, registry, storage } = exampleImages();
    const { configBytes } = registry.addImage(busybox, [layer]);
    const id = await images.pull(pullRequest(busybox));
    storage.startConfigs.set(id, configBytes);
    const next = exampleImages({ storage });
    storage.failNext("readBlob", new Error("read again"));
    await next.images.load();
    assert.equal(next.images.find(busybox)?.id, id);
    assert.equal(storage.startConfigs.size, 0);
  });

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

  it("reads only so much of what a registry calls signatures", async () => {
    const { images, registry, policies } = exampleImages();
    const { manifestDigest } = registry.addImage(busybox, [layer]);
    const large = Array.from({ length: 12 }, (_, index) => ({ ...payload, bytes: Buffer.alloc(1024 * 1024, index) }));
    registry.addArtifact(`docker.io/library/busybox:${manifestDigest.replace(":", "-")}.sig`, large);
    policies.signed.add("docker.io/library/busybox");
    await images.pull(pullRequest(busybox));
    const asked = policies.checks[0]?.digests.length ?? 0;
    assert.equal(registry.opened.length, asked * 8 + 1, "eight MiB for each digest, and the layer");
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

  it("says that signatures could not be asked for, unless another name of the image is allowed", async () => {
    const { images, registry, policies } = exampleImages();
    const other = "quay.io/team/busybox:1";
    for (const name of [busybox, other]) registry.addImage(name, [layer]);
    const [id] = await Promise.all([busybox, other].map((name) => images.pull(pullRequest(name))));
    policies.atUse = true;
    const use = () => images.allow({ image: id ?? "", userSpecifiedImage: "" }, "strict");
    for (const repository of ["docker.io/library/busybox", "quay.io/team/busybox"]) policies.signed.add(repository);
    registry.failNext = new DomainError("registry-unavailable", "no route to host");
    await assert.rejects(use(), { kind: "registry-unavailable", message: /no route to host/ });
    policies.signed.delete("quay.io/team/busybox");
    registry.failNext = new DomainError("registry-unavailable", "no route to host");
    await use();
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
