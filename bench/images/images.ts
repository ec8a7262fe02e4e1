import { busyboxConfig, busyboxEntries } from "../../test/support/busybox.ts";
import { buildImage, content, hostPlatform, type BuiltImage } from "../../test/support/image-builder.ts";
import type { TestRegistry } from "../../test/support/registry.ts";
import type { Layer } from "./bulk-layer.ts";

/** References of the images that all pods are made of. */
export interface BaseImages {
  service: string;
  pause: string;
}

/** Builds and pushes an image of busybox, and one that stands for the pause image where a runtime needs one. */
export async function pushBaseImages(registry: TestRegistry): Promise<BaseImages> {
  const service = buildImage({ layers: [{ entries: busyboxEntries() }], config: busyboxConfig });
  return {
    service: await registry.push(service, "bench/service", "1"),
    pause: await registry.push(pauseImage(), "bench/pause", "1"),
  };
}

/** A process that just waits, in an image that only containerd runs here: the others do without. */
function pauseImage(): BuiltImage {
  const entries = [...busyboxEntries(), { path: "pause", kind: "symlink", target: "bin/busybox" } as const];
  return buildImage({ layers: [{ entries }], config: { Entrypoint: ["/bin/busybox", "sleep", "2147483647"] } });
}

/** An OCI image of ready-made layers. */
export function imageOf(layers: readonly Layer[]): BuiltImage {
  const config = content(
    "application/vnd.oci.image.config.v1+json",
    json({
      created: "2024-01-01T00:00:00Z",
      ...hostPlatform,
      config: {},
      rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
      history: layers.map(() => ({ created: "2024-01-01T00:00:00Z", created_by: "bench" })),
    }),
  );
  const blobs = layers.map(({ blob }) => blob);
  const [configDescriptor, ...layerDescriptors] = [config, ...blobs].map(({ digest, mediaType, bytes }) => ({
    mediaType,
    digest,
    size: bytes.length,
  }));
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = content(
    mediaType,
    json({ schemaVersion: 2, mediaType, config: configDescriptor, layers: layerDescriptors }),
  );
  return {
    format: "oci",
    manifest,
    config,
    layers: blobs,
    diffIds: layers.map(({ diffId }) => diffId),
    platform: hostPlatform,
  };
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}
