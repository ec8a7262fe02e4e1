import { Worker } from "node:worker_threads";
import { DomainError } from "#errors/domain-error.ts";
import { workerEnvironment } from "#lib/worker-environment.ts";
import { abortError } from "../http/failure.ts";
import type { Digest } from "#spec/oci-image.ts";
import type { BlobBody } from "../blobs.ts";
import type { RegistryLimits } from "../limits.ts";
import type { MeasureInput, MeasureOutput } from "./measure-layers-worker.ts";
import type { MeasuredLayer } from "./schema1.ts";

/**
 * Reads each blob once and finds its size and diff id, in a worker thread that lives as long as the call. The blob's own
 * digest is verified on the way.
 * @throws DomainError data-loss for a wrong digest, invalid-argument for what does not unpack; what `open` throws
 */
export async function measureLayers(
  digests: ReadonlySet<Digest>,
  limits: RegistryLimits,
  signal: AbortSignal,
  open: (digest: Digest) => Promise<BlobBody>,
): Promise<Map<Digest, MeasuredLayer>> {
  const layers = new Map<Digest, MeasuredLayer>();
  await using meter = startMeter(limits.uncompressedBytes, signal);
  let totalBytes = 0;
  for (const digest of digests) {
    const body = await open(digest);
    using opened = new DisposableStack();
    opened.defer(() => body.discard());
    const layer = await measureLayer(meter, digest, body);
    totalBytes += layer.sizeBytes;
    if (totalBytes > limits.totalLayerBytes)
      throw unusable(digest, `the image has more than ${limits.totalLayerBytes} bytes`);
    layers.set(digest, layer);
  }
  return layers;
}

async function measureLayer(meter: Meter, digest: Digest, body: BlobBody): Promise<MeasuredLayer> {
  // Copied, not transferred: the memory of a chunk is shared with other chunks of the connection.
  for (let bytes = await body.read(); bytes !== undefined; bytes = await body.read())
    await meter.call(digest, { kind: "chunk", bytes });
  const measured = await meter.call(digest, { kind: "end" });
  if (measured.kind !== "measured") throw unusable(digest, "the worker did not measure it");
  if (`sha256:${measured.sha256}` !== digest)
    throw new DomainError("data-loss", `the blob ${digest} has digest sha256:${measured.sha256}`, {
      facts: { digest, reason: "UNKNOWN" },
    });
  const { sizeBytes, gzip } = measured;
  return { digest, sizeBytes, gzip, diffId: `sha256:${measured.diffSha256}` };
}

interface Meter extends AsyncDisposable {
  call(digest: Digest, input: MeasureInput): Promise<MeasureOutput>;
}

function startMeter(limitBytes: number, signal: AbortSignal): Meter {
  const worker = new Worker(new URL("./measure-layers-worker.ts", import.meta.url), {
    workerData: limitBytes,
    env: workerEnvironment(),
  });
  let waiting: PromiseWithResolvers<MeasureOutput> | undefined;
  const abort = () => waiting?.reject(abortError(signal, "measuring the layers"));
  signal.addEventListener("abort", abort, { once: true });
  worker.on("message", (output: MeasureOutput) => waiting?.resolve(output));
  worker.on("error", (error) => waiting?.reject(error));
  return {
    async call(digest, input) {
      waiting = Promise.withResolvers();
      if (signal.aborted) abort();
      worker.postMessage(input);
      const output = await waiting.promise;
      if (output.kind === "failed") throw unusable(digest, output.message);
      return output;
    },
    async [Symbol.asyncDispose]() {
      signal.removeEventListener("abort", abort);
      await worker.terminate();
    },
  };
}

function unusable(digest: Digest, why: string): DomainError {
  return new DomainError("invalid-argument", `the layer ${digest} is not usable: ${why}`, {
    facts: { digest, reason: "UNKNOWN" },
  });
}
