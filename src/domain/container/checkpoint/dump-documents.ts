import { stateAnnotation } from "#spec/annotations.ts";
import { checkpointPart, neverTime } from "#spec/checkpoint.ts";
import type { CheckpointBindMount, CheckpointConfig } from "#spec/checkpoint.ts";
import { encodeOci } from "#spec/oci-runtime-json.ts";
import type { OciSpec } from "#spec/oci-runtime.ts";
import type { Container } from "../container.ts";

/** Mounts that every runtime makes anew wherever the container is restored. */
const ownOfEveryContainer = new Set([
  "/dev",
  "/dev/shm",
  "/proc",
  "/run",
  "/run/.containerenv",
  "/run/secrets",
  "/sys",
]);

/** The bind mounts that whoever restores the container has to supply. */
export function externalMounts(spec: OciSpec): { source: string; destination: string }[] {
  return spec.mounts
    .filter(({ type, destination }) => type === "bind" && !ownOfEveryContainer.has(destination))
    .map(({ source = "", destination }) => ({ source, destination }));
}

/** Places of mounts, relative to the root: what the container's layer has there was made for the mount only. */
export function mountPlaces(spec: OciSpec): string[] {
  return spec.mounts.map(({ destination }) => destination.replace(/^\/+|\/+$/g, ""));
}

export interface DumpFacts {
  container: Container;
  spec: OciSpec;
  /** A name of the container's image. */
  imageName: string;
  /** Of the pod, by which tools show the container. */
  pod: { name: string; namespace: string };
  bindMounts: readonly CheckpointBindMount[];
  checkpointedAt: Date;
}

/** The small parts of a checkpoint (name → content). */
export function dumpDocuments(facts: DumpFacts): Record<string, string> {
  const { spec, pod, bindMounts } = facts;
  const annotations = {
    ...spec.annotations,
    "io.kubernetes.pod.name": pod.name,
    "io.kubernetes.pod.namespace": pod.namespace,
  };
  return {
    [checkpointPart.config]: JSON.stringify(configOf(facts), undefined, 2),
    [checkpointPart.spec]: encodeOci({ ...spec, annotations }),
    ...(bindMounts.length === 0 ? {} : { [checkpointPart.bindMounts]: JSON.stringify(bindMounts, undefined, 2) }),
  };
}

function configOf({ container, spec, imageName, checkpointedAt }: DumpFacts): CheckpointConfig {
  const { image } = container.request;
  return {
    id: container.id,
    name: spec.annotations[stateAnnotation.name] ?? container.request.metadata.name,
    rootfsImage: image.userSpecifiedImage || image.image,
    rootfsImageRef: container.imageId,
    rootfsImageName: imageName,
    runtime: container.runtimeHandler,
    createdTime: new Date(Number(BigInt(container.createdAtNs) / 1_000_000n)).toISOString(),
    checkpointedTime: checkpointedAt.toISOString(),
    restoredTime: neverTime,
    restored: container.restore !== undefined,
  };
}
