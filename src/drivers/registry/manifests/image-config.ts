import { DomainError, messageOf } from "#errors/domain-error.ts";
import { parseImageConfig } from "#spec/image-config.ts";
import type { ImageConfig, Manifest } from "#spec/oci-image.ts";
import { mediaTypes } from "./manifest-document.ts";

/** What registries and builders of 2016 called the config of an image in Docker's manifests, for want of knowing better. */
const vagueTypes: readonly string[] = ["application/octet-stream", "application/json", "text/html", ""];

/**
 * The config of the image that `manifest` describes; undefined for what is not an image (an artifact: another media type of config).
 * @throws DomainError invalid-argument naming `what`
 */
export function configOf(
  { manifest, manifestMediaType }: { manifest: Manifest; manifestMediaType: string },
  bytes: Uint8Array,
  what: string,
): ImageConfig | undefined {
  const { mediaType } = manifest.config;
  const isVague = manifestMediaType === mediaTypes.dockerManifest && vagueTypes.includes(mediaType);
  if (!isVague && mediaType !== mediaTypes.ociConfig && mediaType !== mediaTypes.dockerConfig) return undefined;
  try {
    const config = parseImageConfig(bytes);
    const { length } = config.rootfs.diff_ids;
    if (length !== manifest.layers.length)
      throw new Error(`it has ${length} diff_ids for ${manifest.layers.length} layers`);
    return config;
  } catch (error) {
    if (isVague) return undefined;
    throw new DomainError(
      "invalid-argument",
      `the config ${manifest.config.digest} of ${what} is not usable: ${messageOf(error)}`,
      {
        facts: { digest: manifest.config.digest, reason: "UNKNOWN" },
        cause: error,
      },
    );
  }
}
