import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import type { Digest } from "#spec/oci-image.ts";
import { LayerStore } from "#drivers/storage/layer-store.ts";
import { Layout } from "#drivers/storage/layout.ts";
import { defaultLimits } from "#drivers/storage/options.ts";
import { ReferenceCounts } from "#drivers/storage/reference-counts.ts";
import { SyncBatch } from "#drivers/storage/sync-batch.ts";
import { TreeJobs } from "#drivers/storage/tree-jobs.ts";
import { WorkerPool } from "#drivers/storage/worker/worker-pool.ts";
import { silentLogger } from "#observability/logger.ts";
import { mount, unmount } from "#kernel/mount.ts";
import { eventually } from "../support/eventually.ts";
import { imageOf, layerOf, putImage, removeImage, StorageFixture, type TestLayer } from "../support/storage.ts";

interface Told {
  image: string;
  half: Digest;
  orphan: Digest;
}

/** Kills a process with SIGKILL in the middle of a layer; gives what it said before. */
async function killedWhileUnpacking(directory: string): Promise<Told> {
  const script = path.join(import.meta.dirname, "../support/storage-crash-child.ts");
  const child = spawn(process.execPath, [script, path.join(directory, "lib"), path.join(directory, "run")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  for await (const line of createInterface(child.stdout)) {
    child.kill("SIGKILL");
    await exited;
    return JSON.parse(line) as Told;
  }
  return assert.fail("the process ended by itself");
}

describe("a daemon that is killed in the middle of a layer", () => {
  it("leaves nothing that the next start does not sweep, and keeps whole images and container roots", async () => {
    const directory = await mkdtemp(path.join(os.tmpdir(), "berth-storage-"));
    const told = await killedWhileUnpacking(directory);
    assert.equal((await readdir(path.join(directory, "lib/staging"))).length, 1);
    await using fixture = await StorageFixture.open({}, directory);
    const { storage } = fixture;
    assert.deepEqual(
      storage.images().map(({ id }) => id),
      [told.image],
    );
    assert.deepEqual([storage.hasLayer(told.half), storage.hasLayer(told.orphan)], [false, false]);
    assert.deepEqual(await storage.rootfsIds(), ["c1"]);
    assert.deepEqual(await readdir((await storage.mountRootfs("c1")).mountPath), ["whole"]);
    assert.equal((await readdir(path.join(directory, "lib/layers"))).length, 1);
    const staging = path.join(directory, "lib/staging");
    await eventually("staging is swept", async () => ((await readdir(staging)).length === 0 ? true : undefined));
  });
});

describe("a full disk", () => {
  it("fails the layer, names the file and the free space, and is clean afterwards", async () => {
    const directory = await mkdtemp(path.join(os.tmpdir(), "berth-storage-"));
    mount("tmpfs", directory, "tmpfs", 0, "size=4m,nr_inodes=200");
    try {
      await using fixture = await StorageFixture.open({}, path.join(directory, "own"));
      const { storage } = fixture;
      const large = layerOf([{ path: "dir/large", content: randomBytes(5_000_000) }]);
      await assert.rejects(fixture.add(large), {
        kind: "resource-exhausted",
        message: /^layer sha256:\w+: dir\/large: .*no space left.*\d+ bytes and \d+ inodes are free/i,
      });
      const many = layerOf(Array.from({ length: 250 }, (_, i) => ({ path: `f${i}` })));
      await assert.rejects(fixture.add(many), { kind: "resource-exhausted", message: /f1\d\d: / });
      const blob = layerOf([{ path: "x", content: randomBytes(5_000_000) }]).source;
      const signal = new AbortController().signal;
      await assert.rejects(storage.addBlob(blob, { signal }), { kind: "resource-exhausted" });
      const staging = path.join(directory, "own/lib/staging");
      await eventually("staging is empty", async () => ((await readdir(staging)).length === 0 ? true : undefined));
      const small = layerOf([{ path: "small", content: randomBytes(1_000_000) }]);
      await fixture.add(small);
      await putImage(storage, imageOf([small]));
    } finally {
      unmount(directory);
      await rm(directory, { recursive: true });
    }
  });
});

describe("a disk that fails to write", () => {
  /** Layers on a disk whose syncs fail while `failing`. */
  async function storeOn(directory: string, disk: { failing: boolean }) {
    await using undo = new AsyncDisposableStack();
    const layout = new Layout({ imageRoot: directory, containerRoot: directory, runRoot: directory });
    await layout.create();
    const pool = (entry: "./inflate-worker.ts" | "./storage-worker.ts") =>
      undo.adopt(new WorkerPool({ name: "test", entry, size: 1, idleMs: 1000 }), (one) => one.close());
    const trees = undo.adopt(new TreeJobs(layout, silentLogger, 1000), (jobs) => jobs.close());
    const sync = async (): Promise<void> => {
      if (disk.failing) throw new Error("EIO");
    };
    const layers = new LayerStore({
      layout,
      logger: silentLogger,
      unpacking: {
        limits: defaultLimits,
        retry: { retries: 0, retryDelayMs: 1 },
        inflaters: pool("./inflate-worker.ts"),
        unpackers: pool("./storage-worker.ts"),
      },
      trees,
      disk: new SyncBatch({ sync, close: async () => {} }),
      references: new ReferenceCounts(60_000),
      inContainers: () => false,
    });
    undo.defer(() => layers.close());
    const open = undo.move();
    return { layers, layout, [Symbol.asyncDispose]: () => open.disposeAsync() };
  }

  it("loses the layers that it may have lost, and what was done to them, until they are pulled again", async () => {
    await using undo = new AsyncDisposableStack();
    const directory = await mkdtemp(path.join(os.tmpdir(), "berth-storage-"));
    undo.defer(() => rm(directory, { recursive: true }));
    const disk = { failing: true };
    const { layers, layout } = undo.use(await storeOn(directory, disk));
    const lower = layerOf([{ path: "dir/", kind: "directory", mode: 0o1777 }]);
    const upper = layerOf([{ path: "dir/file" }]);
    const chainIds = [lower.chainId, upper.chainId];
    const addBoth = async (): Promise<void> => {
      for (const layer of [lower, upper]) await layers.add(layer, { signal: new AbortController().signal });
    };

    await addBoth();
    await assert.rejects(layers.synced(chainIds), { kind: "data-loss", message: /could not be synced to disk/ });
    assert.deepEqual(
      chainIds.map((chainId) => layers.has(chainId)),
      [false, false],
    );
    const gone = async () => ((await readdir(layout.layers)).length === 0 ? true : undefined);
    await eventually("lost layers leave their places", gone);

    disk.failing = false;
    await addBoth();
    await layers.synced(chainIds);
    disk.failing = true;
    await layers.completeParents(chainIds);
    await assert.rejects(layers.synced(chainIds), { kind: "data-loss" });
    assert.deepEqual(
      chainIds.map((chainId) => layers.has(chainId)),
      [true, false],
    );
    disk.failing = false;
    await addBoth();
    await layers.completeParents(chainIds);
    await layers.synced(chainIds);
    assert.equal(((await stat(path.join(layout.diff(upper.chainId), "dir"))).mode & 0o7777).toString(8), "1777");
  });
});

describe("attributes that a file system does not take", () => {
  it("are skipped, with a warning", async () => {
    const directory = await mkdtemp(path.join(os.tmpdir(), "berth-storage-"));
    const capability = Buffer.from("0100000200200000000000000000000000000000", "hex");
    // ramfs has no extended attributes at all.
    mount("ramfs", directory, "ramfs", 0);
    try {
      await mkdir(path.join(directory, "own"));
      await using fixture = await StorageFixture.open({}, path.join(directory, "own"));
      await fixture.add(layerOf([{ path: "ping", content: "x", xattrs: { "security.capability": capability } }]));
      assert.match(
        fixture.logged.map(({ message }) => message).join(),
        /does not take the attributes security.capability/,
      );
    } finally {
      unmount(directory);
      await rm(directory, { recursive: true });
    }
  });
});

describe("a layer whose record cannot be used", () => {
  /** A layer, in a mounted container root, after a restart at which its record was `record`. */
  async function damaged(fixture: StorageFixture, record: string): Promise<{ layer: TestLayer; file: string }> {
    const layer = layerOf([{ path: "dir/file", content: "still here" }]);
    await fixture.add(layer);
    await putImage(fixture.storage, imageOf([layer]));
    const { mountPath } = await fixture.storage.createRootfs("c1", [layer.chainId]);
    await fixture.reopen(() => writeFile(fixture.diff(layer.chainId, "../layer.json"), record));
    assert.equal(fixture.storage.hasLayer(layer.chainId), false);
    return { layer, file: path.join(mountPath, "dir/file") };
  }

  it("stays while a container uses it, also when it is pulled again, and goes with the container", async () => {
    await using fixture = await StorageFixture.open();
    const { layer, file } = await damaged(fixture, '{"chainId":');
    const [name] = await fixture.layersOnDisk();
    assert.equal(await readFile(file, "utf8"), "still here");
    await fixture.add(layer);
    await putImage(fixture.storage, imageOf([layer]));
    await fixture.reopen();
    const staging = path.join(fixture.roots.imageRoot, "staging");
    await eventually("staging is swept", async () => ((await readdir(staging)).length === 0 ? true : undefined));
    assert.equal(await readFile(file, "utf8"), "still here");
    assert.equal(fixture.storage.hasLayer(layer.chainId), true);
    assert.equal((await fixture.layersOnDisk()).length, 2);
    await fixture.storage.removeRootfs("c1");
    assert.deepEqual(await fixture.layersOnDisk(), [name]);
    assert.deepEqual(await readdir(fixture.diff(layer.chainId, "dir")), ["file"]);
  });

  it("goes with the container although a newer berth has written it, once another has taken its place", async () => {
    await using fixture = await StorageFixture.open();
    const { layer } = await damaged(fixture, '{"version":2}');
    await fixture.add(layer);
    await putImage(fixture.storage, imageOf([layer]));
    assert.equal((await fixture.layersOnDisk()).length, 2);
    await fixture.reopen();
    assert.equal((await fixture.layersOnDisk()).length, 2);
    await fixture.storage.removeRootfs("c1");
    assert.equal((await fixture.layersOnDisk()).length, 1);
  });

  it("goes with the last container that uses it when nobody pulls it again", async () => {
    await using fixture = await StorageFixture.open();
    await damaged(fixture, "");
    await fixture.storage.removeRootfs("c1");
    assert.deepEqual(await fixture.layersOnDisk(), []);
  });

  it("goes at once when no container uses it", async () => {
    await using fixture = await StorageFixture.open();
    const layer = layerOf([{ path: "file" }]);
    await fixture.add(layer);
    await fixture.reopen(() => writeFile(fixture.diff(layer.chainId, "../layer.json"), "{}"));
    assert.deepEqual(await fixture.layersOnDisk(), []);
  });

  it("goes when a newer berth has written it, since its image is not known any more and nobody else would remove it", async () => {
    await using fixture = await StorageFixture.open();
    const layer = layerOf([{ path: "file" }]);
    await fixture.add(layer);
    await putImage(fixture.storage, imageOf([layer]));
    const record = fixture.diff(layer.chainId, "../layer.json");
    const written = await readFile(record, "utf8");
    await fixture.reopen(() => writeFile(record, written.replace('"version":1', '"version":2')));
    assert.deepEqual([fixture.storage.images(), await fixture.layersOnDisk()], [[], []]);
    assert.match(fixture.logged.map(({ message }) => message).join("\n"), /layer \S+ .* is removed: .*version/);
    await fixture.add(layer);
    assert.equal((await fixture.layersOnDisk()).length, 1);
  });
});

describe("a container root whose record cannot be used", () => {
  it("keeps all layers, since it may have been made of any of them, until it is removed", async () => {
    await using fixture = await StorageFixture.open();
    const layer = layerOf([{ path: "file", content: "still here" }]);
    await fixture.add(layer);
    const image = imageOf([layer]);
    await putImage(fixture.storage, image);
    const { mountPath } = await fixture.storage.createRootfs("c1", [layer.chainId]);
    await fixture.reopen(() => writeFile(path.join(fixture.roots.containerRoot, "containers/c1/rootfs.json"), ""));
    await removeImage(fixture.storage, image.id);
    await fixture.reopen();
    assert.equal(fixture.storage.hasLayer(layer.chainId), true);
    assert.equal(await readFile(path.join(mountPath, "file"), "utf8"), "still here");
    await fixture.storage.removeRootfs("c1");
    assert.equal(fixture.storage.hasLayer(layer.chainId), false);
  });
});
