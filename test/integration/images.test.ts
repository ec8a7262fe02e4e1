import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, it } from "node:test";
import { LayerState, Progress } from "#cri/gen/berth/v1/progress_pb.ts";
import { ContainerState, ImageService, type Image } from "#cri/gen/runtime/v1/api_pb.ts";
import { busyboxConfig, busyboxEntries } from "../support/busybox.ts";
import { type TestDaemon } from "../support/daemon.ts";
import { useDaemon } from "../support/fixture.ts";
import { buildImage, buildIndex, hostPlatform, type BuiltImage } from "../support/image-builder.ts";
import {
  containerConfig,
  containerStatus,
  createContainer,
  pull,
  removePod,
  runContainer,
  runPod,
  runToEnd,
  untilTerminated,
} from "../support/pods.ts";
import { rejects } from "../support/rejects.ts";
import { cannotRunPods } from "../support/requirements.ts";

const { imageStatus, listImages, removeImage, streamImages, imageFsInfo } = ImageService.method;

let serial = 0;

/** A small image that no other test has the layers of. */
function smallImage(more: Partial<Parameters<typeof buildImage>[0]> = {}): BuiltImage {
  serial += 1;
  const content = `content ${process.pid} ${serial}\n`.repeat(5000);
  return buildImage({ layers: [{ entries: [{ path: "file", content }] }], config: { Cmd: ["/file"] }, ...more });
}

async function find(daemon: TestDaemon, image: string): Promise<Image | undefined> {
  return (await daemon.client.call(imageStatus, { image: { image } })).image;
}

function hex(digest: string): string {
  return digest.replace(/^sha256:/, "");
}

describe("images", { skip: cannotRunPods() }, () => {
  const suite = useDaemon();

  it("are known by tag, id, id prefix and digest once they are pulled", async () => {
    const { daemon, registry } = suite;
    const built = smallImage({ config: { User: "1234:5", Labels: { a: "b" } } });
    const reference = await registry.push(built, "test/named", "v1");
    const ref = await pull(daemon, reference);
    const byTag = await find(daemon, reference);
    const id = hex(built.config.digest);
    assert.equal(hex(byTag?.id ?? ""), id);
    assert.equal(hex(ref), id);
    const byDigest = `${registry.host}/test/named@${built.manifest.digest}`;
    assert.deepEqual(byTag?.repoTags, [reference]);
    assert.deepEqual(byTag?.repoDigests, [byDigest]);
    assert.ok((byTag?.size ?? 0n) > 0n);
    assert.equal(byTag?.uid?.value, 1234n);
    for (const other of [id, id.slice(0, 12), byDigest, `sha256:${id}`]) {
      assert.equal((await find(daemon, other))?.id, byTag?.id, other);
    }
  });

  it("that lose a layer while the daemon runs are absent once a container misses it, and are pulled whole again", async () => {
    const { daemon, registry } = suite;
    const layers = [{ entries: busyboxEntries() }, { entries: [{ path: "etc/lost", content: `${process.pid}` }] }];
    const reference = await registry.push(buildImage({ layers, config: busyboxConfig }), "test/lost", "v1");
    const folder = (await readdir(daemon.places.root, { recursive: true })).find((name) => name.endsWith("/layers"));
    const directory = path.join(daemon.places.root, folder ?? "layers");
    const before = await readdir(directory);
    await pull(daemon, reference);
    const pod = await runPod(daemon, "lost");
    const [added] = (await readdir(directory)).filter((name) => !before.includes(name));
    rmSync(path.join(directory, added ?? "no layer"), { recursive: true });
    const config = containerConfig(reference, "app", ["/bin/cat", "/etc/lost"]);
    await rejects(
      createContainer(daemon, pod, config),
      "FAILED_PRECONDITION",
      new RegExp(`layers of its image are not in the store: sha256:${added}; the image must be pulled again`),
    );
    assert.equal(await find(daemon, reference), undefined);
    await pull(daemon, reference);
    assert.ok((await find(daemon, reference)) !== undefined);
    await createContainer(daemon, pod, config);
    await removePod(daemon, pod.id);
  });

  it("show labels and configuration when asked verbosely", async () => {
    const { daemon, registry } = suite;
    const reference = await registry.push(smallImage({ config: { Labels: { team: "blue" } } }), "test/verbose", "v1");
    await pull(daemon, reference);
    const { info } = await daemon.client.call(imageStatus, { image: { image: reference }, verbose: true });
    assert.match(JSON.stringify(info), /team.*blue/);
  });

  it("that are not there have no status, and that is no error", async () => {
    assert.equal(await find(suite.daemon, `${suite.registry.host}/test/none:v1`), undefined);
    assert.equal(await find(suite.daemon, "0123456789ab"), undefined);
  });

  it("are pulled by digest without a tag", async () => {
    const { daemon, registry } = suite;
    const built = smallImage();
    await registry.push(built, "test/digest", "v1");
    const reference = `${registry.host}/test/digest@${built.manifest.digest}`;
    await pull(daemon, reference);
    const image = await find(daemon, reference);
    assert.deepEqual([image?.repoTags, image?.repoDigests], [[], [reference]]);
  });

  it("are chosen from an index by the platform of the machine", async () => {
    const { daemon, registry } = suite;
    const [own, foreign] = [smallImage(), smallImage({ platform: { os: "linux", architecture: "s390x" } })];
    for (const format of ["oci", "docker"] as const) {
      const reference = await registry.push(buildIndex([foreign, own], format), `test/index-${format}`, "v1");
      await pull(daemon, reference);
      assert.equal(hex((await find(daemon, reference))?.id ?? ""), hex(own.config.digest));
    }
    assert.notEqual(hostPlatform.architecture, "s390x");
  });

  it("that have no manifest for the platform are refused with the platforms there are", async () => {
    const { daemon, registry } = suite;
    const foreign = smallImage({ platform: { os: "linux", architecture: "s390x" } });
    const reference = await registry.push(buildIndex([foreign]), "test/foreign", "v1");
    await rejects(pull(daemon, reference), ["INVALID_ARGUMENT", "NOT_FOUND", "UNKNOWN"], /s390x/);
  });

  it("come in both manifest formats with gzip, zstd and plain layers, and run", async () => {
    const { daemon, registry } = suite;
    const pod = await runPod(daemon, "formats");
    for (const format of ["oci", "docker"] as const) {
      for (const compression of format === "oci" ? (["gzip", "zstd", "none"] as const) : (["gzip"] as const)) {
        const layers = [
          { entries: busyboxEntries(), compression },
          { entries: [{ path: "etc/made-by", content: `${format} ${compression}` }], compression },
        ];
        const reference = await registry.push(
          buildImage({ format, layers, config: busyboxConfig }),
          "test/formats",
          `${format}-${compression}`,
        );
        await pull(daemon, reference);
        const config = containerConfig(reference, `${format}-${compression}`, ["cat", "/etc/made-by"]);
        assert.equal((await runToEnd(daemon, pod, config)).stdout, `${format} ${compression}\n`.trim());
      }
    }
    await removePod(daemon, pod.id);
  });

  it("hide what a later layer's whiteouts name", async () => {
    const { daemon, registry } = suite;
    const layers = [
      { entries: busyboxEntries() },
      {
        entries: [
          { path: "data/", kind: "directory" },
          { path: "data/gone", content: "1" },
          { path: "data/kept", content: "2" },
          { path: "old/", kind: "directory" },
          { path: "old/a", content: "3" },
        ],
      },
      {
        entries: [
          { path: "data/.wh.gone", content: "" },
          { path: "old/", kind: "directory" },
          { path: "old/.wh..wh..opq", content: "" },
          { path: "old/b", content: "4" },
        ],
      },
    ];
    const reference = await registry.push(buildImage({ layers, config: busyboxConfig }), "test/whiteouts", "v1");
    await pull(daemon, reference);
    const pod = await runPod(daemon, "whiteouts");
    const config = containerConfig(reference, "look", ["sh", "-c", "ls -A /data /old"]);
    assert.equal((await runToEnd(daemon, pod, config)).stdout, "/data:\nkept\n\n/old:\nb\n");
    await removePod(daemon, pod.id);
  });

  it("of more layers than one mount call holds can be run", async () => {
    const { daemon, registry } = suite;
    const many = Array.from({ length: 120 }, (_, index) => ({
      entries: [{ path: `layers/${index}`, content: `${index}` }],
    }));
    const reference = await registry.push(
      buildImage({ layers: [{ entries: busyboxEntries() }, ...many], config: busyboxConfig }),
      "test/deep",
      "v1",
    );
    await pull(daemon, reference);
    const pod = await runPod(daemon, "deep");
    const { stdout } = await runToEnd(
      daemon,
      pod,
      containerConfig(reference, "look", ["sh", "-c", "ls /layers | wc -l"]),
    );
    assert.equal(stdout.trim(), "120");
    await removePod(daemon, pod.id);
  });

  it("are listed whole, by name, and by stream", async () => {
    const { daemon, registry } = suite;
    const reference = await registry.push(smallImage(), "test/listed", "v1");
    await pull(daemon, reference);
    const all = (await daemon.client.call(listImages, {})).images;
    const one = (await daemon.client.call(listImages, { filter: { image: { image: reference } } })).images;
    assert.deepEqual(
      one.map(({ repoTags }) => repoTags),
      [[reference]],
    );
    assert.ok(all.length > one.length);
    const streamed: string[] = [];
    for await (const { images } of daemon.client.stream(streamImages, {})) streamed.push(...images.map(({ id }) => id));
    assert.deepEqual(streamed.sort(), all.map(({ id }) => id).sort());
  });

  it("lose one name when removed by tag, and go when the last name or the id is removed", async () => {
    const { daemon, registry } = suite;
    const built = smallImage();
    const [one, two] = [
      await registry.push(built, "test/names", "one"),
      await registry.push(built, "test/names", "two"),
    ];
    await pull(daemon, one);
    await pull(daemon, two);
    assert.deepEqual([...((await find(daemon, one))?.repoTags ?? [])].sort(), [one, two]);
    await daemon.client.call(removeImage, { image: { image: one } });
    assert.equal(await find(daemon, one), undefined);
    assert.deepEqual((await find(daemon, two))?.repoTags, [two]);
    await daemon.client.call(removeImage, { image: { image: hex(built.config.digest) } });
    assert.equal(await find(daemon, two), undefined);
    await daemon.client.call(removeImage, { image: { image: two } });
  });

  it("take a tag away from the image that had it before", async () => {
    const { daemon, registry } = suite;
    const [older, newer] = [smallImage(), smallImage()];
    const reference = await registry.push(older, "test/moving", "latest");
    await pull(daemon, reference);
    await registry.push(newer, "test/moving", "latest");
    await pull(daemon, reference);
    assert.equal(hex((await find(daemon, reference))?.id ?? ""), hex(newer.config.digest));
    assert.deepEqual((await find(daemon, hex(older.config.digest)))?.repoTags ?? [], []);
  });

  it("leave nothing on disk when they are removed, except what other images share", async () => {
    const { daemon, registry } = suite;
    const base = { entries: [{ path: "base", content: "shared".repeat(1000) }] };
    const with1 = buildImage({ layers: [base, { entries: [{ path: "one", content: "1" }] }] });
    const with2 = buildImage({ layers: [base, { entries: [{ path: "two", content: "2" }] }] });
    const before = daemon.footprint();
    const first = await registry.push(with1, "test/base", "one");
    await pull(daemon, first);
    const between = daemon.footprint();
    const second = await registry.push(with2, "test/base", "two");
    await pull(daemon, second);
    await daemon.client.call(removeImage, { image: { image: second } });
    await daemon.holdsNoMoreThan(between);
    await daemon.client.call(removeImage, { image: { image: first } });
    await daemon.holdsNoMoreThan(before);
  });

  it("tell how far their pull is, layer by layer", async () => {
    const { daemon, registry } = suite;
    const built = buildImage({
      layers: [1, 2, 3].map((number) => ({ entries: [{ path: `p${number}`, content: `${process.pid}${number}` }] })),
    });
    const image = await registry.push(built, "test/progress", "v1");
    const states = new Map<string, number>();
    const watching = (async () => {
      for await (const { layer, state } of daemon.client.stream(Progress.method.watchPull, { image }))
        states.set(layer, state);
    })();
    await pull(daemon, image);
    await watching;
    assert.deepEqual(
      new Map(built.layers.map(({ digest }) => [digest, LayerState.DONE])),
      new Map([...states].sort(([one], [other]) => order(built, one) - order(built, other))),
    );
  });

  it("whose configuration is lost are not told of after a start, until a pull has mended them; their containers run on", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "mended");
    const running = await runContainer(daemon, pod, containerConfig(busybox, "running", untilTerminated));
    const id = hex((await find(daemon, busybox))?.id ?? "");
    const file = path.join(daemon.places.root, "images/blobs/sha256", id);
    const damages = [() => rmSync(file), () => writeFileSync(file, readFileSync(file).subarray(0, 100))];
    for (const [index, damage] of damages.entries()) {
      await daemon.kill();
      damage();
      await daemon.start();
      assert.equal(await find(daemon, busybox), undefined);
      const { images } = await daemon.client.call(listImages, {});
      assert.equal(
        images.some((image) => hex(image.id) === id),
        false,
      );
      assert.equal((await containerStatus(daemon, running)).state, ContainerState.CONTAINER_RUNNING);
      assert.equal(hex(await pull(daemon, busybox)), id);
      assert.equal((await find(daemon, busybox))?.username, "");
      await runContainer(daemon, pod, containerConfig(busybox, `again-${index}`, ["true"]));
    }
    await removePod(daemon, pod.id);
  });

  it("fill a file system whose use is reported", async () => {
    const { imageFilesystems } = await suite.daemon.client.call(imageFsInfo, {});
    const [first] = imageFilesystems;
    assert.ok((first?.usedBytes?.value ?? 0n) > 1_000_000n);
    assert.ok((first?.inodesUsed?.value ?? 0n) > 10n);
    assert.ok(first?.fsId?.mountpoint.startsWith(suite.daemon.places.root));
    assert.ok((first?.timestamp ?? 0n) > 0n);
  });
});

describe("the pause process", { skip: cannotRunPods() }, () => {
  const suite = useDaemon((registry) => ({
    config: { "crio.runtime": "drop_infra_ctr = false", "crio.image": `pause_image = "${registry.host}/test/pause:1"` },
  }));

  it("keeps its image from being removed until the pod is", async () => {
    const { daemon, registry } = suite;
    const pod = await runPod(daemon, "infra");
    const image = { image: `${registry.host}/test/pause:1` };
    await rejects(daemon.client.call(removeImage, { image }), ["FAILED_PRECONDITION"], /used by 1 containers/);
    await daemon.restart();
    await rejects(daemon.client.call(removeImage, { image }), ["FAILED_PRECONDITION"], /used by 1 containers/);
    await removePod(daemon, pod.id);
    await daemon.client.call(removeImage, { image });
  });

  it("ends with its pod, also when the daemon was told meanwhile that such pods need none", async () => {
    const { daemon } = suite;
    const pod = await runPod(daemon, "outlived");
    const { configFile, runroot } = daemon.places;
    const configuration = await readFile(configFile, "utf8");
    await writeFile(configFile, configuration.replace("drop_infra_ctr = false", "drop_infra_ctr = true"));
    await daemon.restart();
    await removePod(daemon, pod.id);
    assert.ok(!existsSync(path.join(runroot, "containers", pod.id)));
  });
});

function order(image: BuiltImage, digest: string): number {
  return image.layers.findIndex((layer) => layer.digest === digest);
}
