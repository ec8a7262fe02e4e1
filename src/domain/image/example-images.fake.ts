import { FakeRegistryClient } from "#drivers/registry/fake.ts";
import type { BlobDownload, BlobSource } from "#drivers/registry/index.ts";
import { FakeSignaturePolicies } from "#drivers/signature-policy/fake.ts";
import { FakeStorage } from "#drivers/storage/fake.ts";
import { DomainError } from "#errors/domain-error.ts";
import { silentLogger } from "#observability/logger.ts";
import type { Descriptor } from "#spec/oci-image.ts";
import { ImageService, type ImageServiceOptions } from "./image-service.ts";
import type { PullRequest } from "./image.ts";
import type { PullObserver } from "./pull-observer.ts";

/** An image service on fakes, for tests. `heard` is what the observer was told, `taken` which credential files were asked for. */
export function exampleImages(changes: Partial<ImageServiceOptions> = {}) {
  const registry = new FakeRegistryClient();
  const storage = new FakeStorage();
  const policies = new FakeSignaturePolicies();
  const heard: string[] = [];
  const observer: PullObserver = {
    layerFetched: ({ size }) => heard.push(`fetched ${size}`),
    layerPresent: ({ size }) => heard.push(`present ${size}`),
    pulled: (image) => heard.push(`pulled ${image}`),
    failed: (image, reason) => heard.push(`failed ${image}: ${reason}`),
  };
  const taken: string[] = [];
  const images = new ImageService({
    registry,
    storage,
    policies,
    namespacedAuth: {
      async take(namespace, image) {
        taken.push(`${namespace} ${image}`);
        return undefined;
      },
      async sweep() {},
    },
    observer,
    settings: { maxParallelLayerDownloads: 2, platform: undefined, progressTimeoutMs: 0 },
    nodeAuthFile: () => "",
    mountsArtifacts: true,
    pinnedPatterns: () => [],
    usersOf: () => [],
    logger: silentLogger,
    ...changes,
  });
  return { images, registry, storage, policies, heard, taken };
}

export function pullRequest(image: string, changes: Partial<PullRequest> = {}): PullRequest {
  return { image, auth: {}, namespace: "", ...changes };
}

/** For the source of an image in a test: each of its blobs is opened by `open`. */
export function openedBy(
  open: (blob: Descriptor, ...asked: Parameters<BlobDownload["open"]>) => ReturnType<BlobDownload["open"]>,
): BlobSource["download"] {
  return (blob) => ({
    open: (...asked) => open(blob, ...asked),
    reject: (reason) => {
      throw new DomainError("data-loss", reason);
    },
  });
}

export const busybox = "docker.io/library/busybox:1";
export const layer = Buffer.from("a layer");
/** A signature as cosign puts it beside an image. */
export const payload = {
  mediaType: "application/vnd.dev.cosign.simplesigning.v1+json",
  bytes: Buffer.from('{"critical":{}}'),
  annotations: { "dev.cosignproject.cosign/signature": "c2ln" },
};
