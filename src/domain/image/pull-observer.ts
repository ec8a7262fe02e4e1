import type { Descriptor } from "#spec/oci-image.ts";

/** Hears what pulls do, for metrics. */
export interface PullObserver {
  /** A layer, or a blob of an artifact, came from a registry. */
  layerFetched(layer: Descriptor): void;
  /** A layer was in the store already. */
  layerPresent(layer: Descriptor): void;
  pulled(image: string): void;
  /** `reason` is a registry's error code, CONNECTION_REFUSED, CONNECTION_TIMEOUT, NOT_FOUND or UNKNOWN. */
  failed(image: string, reason: string): void;
}
