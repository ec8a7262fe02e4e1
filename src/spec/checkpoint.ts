// The parts of a checkpoint of a container, as checkpointctl, CRI-O and Podman name and fill them.

/** Names of the parts; `checkpoint` is a directory, all others are files. */
export const checkpointPart = {
  config: "config.dump",
  /** config.json of the container. */
  spec: "spec.dump",
  /** criu's images. */
  images: "checkpoint",
  /** A tar of what the container has written. */
  rootfsDiff: "rootfs-diff.tar",
  /** JSON list of absolute paths of the image that the container has deleted. */
  deletedFiles: "deleted.files",
  bindMounts: "bind.mounts",
  /** The container's log, under the annotation that names its place. */
  log: "io.kubernetes.cri-o.LogPath",
  dumpLog: "dump.log",
  dumpStats: "stats-dump",
} as const;

/** criu writes it last: without it the images are not whole. */
export const criuInventory = "inventory.img";

/** config.dump */
export interface CheckpointConfig {
  id: string;
  name: string;
  /** As the user asked for it, its id, and a name that it has. */
  rootfsImage?: string;
  rootfsImageRef?: string;
  rootfsImageName?: string;
  /** Runtime handler. */
  runtime?: string;
  /** RFC 3339. */
  createdTime: string;
  checkpointedTime: string;
  restoredTime: string;
  restored: boolean;
}

/** An entry of bind.mounts. */
export interface CheckpointBindMount {
  source: string;
  destination: string;
  file_type: "directory" | "file";
  /** Permission bits of the source. */
  permissions: number;
}

/** Go's zero time, which stands for "never". */
export const neverTime = "0001-01-01T00:00:00Z";

/** Annotations of an OCI image that make it a checkpoint: CRI-O's, and the one that `checkpointctl build` writes. */
export const checkpointImageAnnotations: readonly string[] = [
  "io.kubernetes.cri-o.annotations.checkpoint.name",
  "org.criu.checkpoint.container.name",
];
