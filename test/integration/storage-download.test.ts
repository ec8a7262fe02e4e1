import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import type { LayerSource } from "#drivers/storage/index.ts";
import { DomainError } from "#errors/domain-error.ts";
import { eventually } from "../support/eventually.ts";
import { layerOf, StorageFixture, streamOf, type TestLayer } from "../support/storage.ts";

let fixture: StorageFixture;
before(async () => {
  fixture = await StorageFixture.open({ retries: 3 });
});
after(() => fixture[Symbol.asyncDispose]());

function randomLayer(bytes = 2_000_000): TestLayer {
  return layerOf([{ path: "random", content: randomBytes(bytes) }]);
}

/** A stream of `bytes` that breaks with `error` instead of ending. */
function breaking(bytes: Uint8Array, error: Error): ReadableStream<Uint8Array> {
  const reader = streamOf(bytes).getReader();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) controller.error(error);
      else controller.enqueue(value);
    },
  });
}

/** A stream that gives one piece and then nothing until it is cancelled. */
function stalling(piece: Uint8Array): { stream: ReadableStream<Uint8Array>; cancelled: Promise<void> } {
  const cancelled = Promise.withResolvers<void>();
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(piece),
    cancel: () => cancelled.resolve(),
  });
  return { stream, cancelled: cancelled.promise };
}

async function staged(): Promise<string[]> {
  return readdir(path.join(fixture.roots.imageRoot, "staging"));
}

describe("a download that breaks", () => {
  it("is resumed where it broke, as often as is allowed", async () => {
    const layer = randomLayer();
    const { blob } = layer;
    const offsets: number[] = [];
    await fixture.add(layer, {
      open: async (offset) => {
        offsets.push(offset);
        return offsets.length <= 3
          ? breaking(blob.subarray(offset, offset + 500_001), new Error("connection reset"))
          : streamOf(blob.subarray(offset));
      },
    });
    assert.deepEqual(offsets, [0, 500_001, 1_000_002, 1_500_003]);
    assert.equal((await readFile(fixture.diff(layer.chainId, "random"))).length, 2_000_000);
  });

  it("is resumed when the stream ends early without an error", async () => {
    const layer = randomLayer();
    const offsets: number[] = [];
    await fixture.add(layer, {
      open: async (offset) => {
        offsets.push(offset);
        return streamOf(layer.blob.subarray(offset, offset === 0 ? 100_000 : undefined));
      },
    });
    assert.deepEqual(offsets, [0, 100_000]);
  });

  it("fails in the end, saying how far it came and why", async () => {
    const layer = randomLayer();
    let opened = 0;
    const open: LayerSource["open"] = async (offset) => {
      opened += 1;
      return breaking(layer.blob.subarray(offset, offset + 1000), new Error("connection reset"));
    };
    await assert.rejects(fixture.add(layer, { open }), {
      kind: "unavailable",
      message: `layer ${layer.source.digest}: the download ended at byte 4000 of ${layer.blob.length} after 3 resumptions: connection reset`,
    });
    assert.equal(opened, 4);
  });

  it("gives the registry's own error when it could not even begin", async () => {
    const refused = new DomainError("unauthenticated", "registry says no");
    await assert.rejects(fixture.add(randomLayer(), { open: () => Promise.reject(refused) }), {
      message: "registry says no",
    });
  });

  it("is not resumed when the registry forbids it", async () => {
    const layer = randomLayer();
    let opened = 0;
    const open: LayerSource["open"] = async (offset) => {
      opened += 1;
      if (offset > 0) throw new DomainError("not-found", "blob unknown");
      return breaking(layer.blob.subarray(0, 1000), new Error("connection reset"));
    };
    await assert.rejects(fixture.add(layer, { open }), { kind: "not-found", message: /byte 1000 of .*blob unknown/ });
    assert.equal(opened, 2);
  });
});

describe("a download of the wrong size or content", () => {
  it("is refused when it is shorter than declared", async () => {
    const layer = randomLayer(1000);
    const sizeBytes = layer.blob.length + 10;
    await assert.rejects(fixture.add(layer, { sizeBytes }), { kind: "data-loss", message: /shorter than declared/ });
  });

  it("is refused when it is longer than declared", async () => {
    const layer = randomLayer(1000);
    const sizeBytes = layer.blob.length - 10;
    await assert.rejects(fixture.add(layer, { sizeBytes }), { kind: "data-loss", message: /more than the \d+ bytes/ });
  });

  it("is refused when its digest is another", async () => {
    const layer = randomLayer(1000);
    const { digest } = randomLayer(10).source;
    await assert.rejects(fixture.add(layer, { digest }), {
      kind: "data-loss",
      message: /the content received is sha256:/,
    });
  });

  it("stops being read when the worker has refused it", async () => {
    const { stream, cancelled } = stalling(Buffer.alloc(1_000_000, "no tar"));
    const layer = randomLayer();
    await assert.rejects(fixture.add(layer, { open: async () => stream, sizeBytes: 9_000_000 }), { kind: "data-loss" });
    await cancelled;
  });
});

describe("callers that want the same layer", () => {
  it("share one download and its progress", async () => {
    const layer = randomLayer();
    let opened = 0;
    const source: LayerSource = {
      ...layer.source,
      open: async (offset) => {
        opened += 1;
        return streamOf(layer.blob.subarray(offset));
      },
    };
    const progress: number[][] = [[], []];
    const results = await Promise.all(
      progress.map((seen) =>
        fixture.storage.addLayer(
          { ...layer, source },
          { signal: new AbortController().signal, onProgress: ({ compressedBytes }) => seen.push(compressedBytes) },
        ),
      ),
    );
    assert.equal(opened, 1);
    assert.deepEqual(results[0], results[1]);
    for (const seen of progress) assert.equal(seen.at(-1), layer.blob.length);
    await fixture.add(layer, source);
    assert.equal(opened, 1, "a layer that is there is not fetched again");
  });

  it("leave it one by one; the last one's leaving stops it", async () => {
    const layer = randomLayer();
    const { stream, cancelled } = stalling(layer.blob.subarray(0, 300_000));
    const opened = Promise.withResolvers<void>();
    const source: LayerSource = {
      ...layer.source,
      open: async () => {
        opened.resolve();
        return stream;
      },
    };
    const [first, second] = [new AbortController(), new AbortController()];
    const waits = [first, second].map(({ signal }) => fixture.storage.addLayer({ ...layer, source }, { signal }));
    await opened.promise;
    first.abort();
    await assert.rejects(waits[0] ?? Promise.resolve(), { kind: "cancelled" });
    second.abort();
    await assert.rejects(waits[1] ?? Promise.resolve(), { kind: "cancelled" });
    await cancelled;
    assert.equal(fixture.storage.hasLayer(layer.chainId), false);
    await fixture.add(layer);
    assert.equal(fixture.storage.hasLayer(layer.chainId), true, "a caller after that starts afresh");
  });

  it("are refused at once when they come with an aborted signal", async () => {
    await assert.rejects(fixture.storage.addLayer(randomLayer(), { signal: AbortSignal.abort() }), {
      kind: "cancelled",
    });
  });
});

describe("many downloads at once", () => {
  it("all arrive, each with its own content", async () => {
    const layers = Array.from({ length: 12 }, (_, i) => ({
      i,
      ...layerOf([{ path: `f${i}`, content: randomBytes(700_000) }]),
    }));
    await Promise.all(layers.map((layer) => fixture.add(layer)));
    for (const { chainId, i } of layers) assert.deepEqual(await readdir(fixture.diff(chainId)), [`f${i}`]);
  });

  it("leave no half of a layer when the storage closes", async () => {
    const layer = randomLayer();
    const { stream } = stalling(layer.blob.subarray(0, 300_000));
    const opened = Promise.withResolvers<void>();
    const open: LayerSource["open"] = async () => {
      opened.resolve();
      return stream;
    };
    const pull = assert.rejects(fixture.add(layer, { open }), { kind: "aborted" });
    await opened.promise;
    const storage = await fixture.reopen();
    await pull;
    assert.equal(storage.hasLayer(layer.chainId), false);
    await fixture.reopen();
    await eventually("the staging directory is swept", async () => ((await staged()).length === 0 ? true : undefined));
  });
});

describe("a blob", () => {
  it("is streamed in, verified, and read back", async () => {
    const { blob, source } = randomLayer();
    await fixture.storage.addBlob(source, { signal: new AbortController().signal });
    assert.deepEqual(Buffer.from(await fixture.storage.readBlob(source.digest)), blob);
    assert.deepEqual(await readFile(fixture.storage.blobPath(source.digest)), blob);
    const other = randomLayer(10).source.digest;
    const wrong = fixture.storage.addBlob({ ...source, digest: other }, { signal: new AbortController().signal });
    await assert.rejects(wrong, { kind: "data-loss" });
    await assert.rejects(fixture.storage.readBlob(other), { kind: "not-found" });
    await assert.rejects(fixture.storage.putBlob(other, blob), { kind: "data-loss" });
  });

  it("must have a digest for a name", () => {
    assert.throws(() => fixture.storage.blobPath("sha256:../../etc/passwd"), { kind: "invalid-argument" });
  });
});
