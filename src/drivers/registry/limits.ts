/** Bounds on what a registry may make berth read, keep or count. */
export interface RegistryLimits {
  manifestBytes: number;
  configBytes: number;
  layers: number;
  /** Of all layers together, as the manifest declares them. */
  totalLayerBytes: number;
  /** Indexes within indexes. */
  indexDepth: number;
  /** What the layers of one schema 1 image may unpack to while their diff ids are computed. */
  uncompressedBytes: number;
}

export const defaultLimits: RegistryLimits = {
  manifestBytes: 4 * 1024 ** 2,
  configBytes: 8 * 1024 ** 2,
  // overlayfs takes at most 500 lower layers.
  layers: 500,
  totalLayerBytes: 1024 ** 4,
  indexDepth: 4,
  uncompressedBytes: 128 * 1024 ** 3,
};
