// A process that opens a storage, begins to fetch a layer whose stream never ends, says so, and waits to be killed.
import { createStorage } from "#drivers/storage/disk-storage.ts";
import { silentLogger } from "#observability/logger.ts";
import { imageOf, layerOf, putImage, sourceOf } from "./storage.ts";
import { randomBytes } from "node:crypto";

const [imageRoot = "", runRoot = ""] = process.argv.slice(2);
const storage = await createStorage({ imageRoot, containerRoot: imageRoot, runRoot }, silentLogger);
const signal = new AbortController().signal;

const whole = layerOf([{ path: "whole", content: "x" }]);
await storage.addLayer(whole, { signal });
const image = imageOf([whole]);
await putImage(storage, image);
await storage.createRootfs("c1", image.chainIds);

const orphan = layerOf([{ path: "orphan", content: "x" }]);
await storage.addLayer(orphan, { signal });

const half = layerOf([
  { path: "first", content: randomBytes(2_000_000) },
  { path: "second", content: randomBytes(9_000_000) },
]);
const endless = sourceOf(half.blob, {
  open: async () =>
    new ReadableStream({
      start: (controller) => controller.enqueue(half.blob.subarray(0, half.blob.length - 100_000)),
    }),
});
void storage.addLayer(
  { ...half, source: endless },
  {
    signal,
    onProgress: ({ compressedBytes }) => {
      if (compressedBytes > 5_000_000)
        console.log(JSON.stringify({ image: image.id, half: half.chainId, orphan: orphan.chainId }));
    },
  },
);
