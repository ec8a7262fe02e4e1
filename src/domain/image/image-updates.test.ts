import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exampleImages, layer, payload, pullRequest } from "./example-images.fake.ts";

describe("an image that is changed from several sides at once", () => {
  const [first, second] = ["docker.io/library/busybox:1", "docker.io/library/busybox:2"] as const;

  it("has the names of all pulls that were under way together", async () => {
    const { images, registry } = exampleImages();
    for (const name of [first, second]) registry.addImage(name, [layer]);
    await Promise.all([first, second].map((name) => images.pull(pullRequest(name))));
    assert.deepEqual(images.list("")[0]?.repoTags.toSorted(), [first, second]);
  });

  it("stays with the name that a pull gives it while its last other one is removed", async () => {
    const { images, registry } = exampleImages();
    for (const name of [first, second]) registry.addImage(name, [layer]);
    await images.pull(pullRequest(first));
    await Promise.all([images.pull(pullRequest(second)), images.remove(first)]);
    assert.deepEqual(images.list("")[0]?.repoTags, [second]);
    assert.equal(images.use(second).config.os, "linux");
  });

  it("that another image has taken the name of does not get it back when another of its own is removed", async () => {
    const { images, registry } = exampleImages();
    for (const name of [first, second]) registry.addImage(name, [layer]);
    for (const name of [first, second]) await images.pull(pullRequest(name));
    registry.addImage(first, [Buffer.from("a new layer")]);
    const [id] = await Promise.all([images.pull(pullRequest(first)), images.remove(second)]);
    assert.equal(images.find(first)?.id, id);
  });

  /** Removes or moves the image while the policy is asked about its use, and accepts it then by a signature that is new. */
  async function useWhile(change: (example: ReturnType<typeof exampleImages>) => Promise<unknown>) {
    const example = exampleImages();
    const { images, registry, policies } = example;
    const { manifestDigest } = registry.addImage(first, [layer]);
    const id = await images.pull(pullRequest(first));
    registry.addArtifact(`docker.io/library/busybox:${manifestDigest.replace(":", "-")}.sig`, [payload]);
    policies.signed.add("docker.io/library/busybox");
    policies.atUse = true;
    const check = policies.check.bind(policies);
    policies.check = async (image) => {
      policies.check = check;
      const accepted = await check(image);
      policies.signed.clear();
      await change(example);
      return accepted;
    };
    await images.allow({ image: id, userSpecifiedImage: first }, "team");
    return { ...example, id };
  }

  it("stays gone when it is removed while its use is allowed", async () => {
    const { images } = await useWhile((example) => example.images.remove(first));
    assert.deepEqual(images.list(""), []);
  });

  it("does not take back a name that it loses while its use is allowed", async () => {
    const { images, id } = await useWhile(async ({ images: service, registry }) => {
      registry.addImage(first, [Buffer.from("a new layer")]);
      await service.pull(pullRequest(first));
    });
    assert.notEqual(images.find(first)?.id, id);
    assert.deepEqual(images.find(id)?.repoTags, []);
  });
});
