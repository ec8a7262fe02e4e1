import path from "node:path";
import type { MountRequest } from "#domain/container/request.ts";
import type { MountSource } from "#drivers/security/index.ts";
import { DomainError } from "#errors/domain-error.ts";
import { isAtOrBelow } from "#lib/is-at-or-below.ts";
import type { OciFeatures, OciMount } from "#spec/oci-runtime.ts";
import { ociIdMapping } from "./namespaces.ts";

/** A mount of the request and what the host has there; for an image volume, where its content is mounted. */
export interface FoundMount {
  request: MountRequest;
  source: MountSource;
}

export interface VolumeInputs {
  features: OciFeatures;
  /** Directories where berth mounts containers' roots. */
  storageRoots: readonly string[];
}

/**
 * The bind mount for a volume.
 * @throws DomainError invalid-argument for what contradicts itself, failed-precondition for a host mount that cannot
 *   propagate, unimplemented for what this OCI runtime cannot do
 */
export function volumeMount(found: FoundMount, inputs: VolumeInputs): OciMount {
  const { request, source } = found;
  const mount: OciMount = {
    destination: containerPath(request),
    type: "bind",
    source: source.path,
    options: ["rbind", propagationOption(found, inputs.storageRoots), ...accessOptions(request, inputs.features)],
  };
  if (request.uidMappings.length === 0 && request.gidMappings.length === 0) return mount;
  if (inputs.features.linux?.mountExtensions?.idmap?.enabled !== true)
    throw new DomainError(
      "unimplemented",
      `the volume at ${request.containerPath} needs an idmapped mount, which this OCI runtime does not support`,
    );
  return {
    ...mount,
    uidMappings: request.uidMappings.map(ociIdMapping),
    gidMappings: request.gidMappings.map(ociIdMapping),
  };
}

function containerPath(request: MountRequest): string {
  const cleaned = path.posix.join("/", request.containerPath);
  const destination = cleaned.length > 1 && cleaned.endsWith("/") ? cleaned.slice(0, -1) : cleaned;
  if (request.containerPath !== "" && destination !== "/") return destination;
  throw new DomainError(
    "invalid-argument",
    `the volume ${request.hostPath || request.image?.image} cannot be mounted at ${JSON.stringify(request.containerPath)}`,
  );
}

function propagationOption(found: FoundMount, storageRoots: readonly string[]): string {
  const { request, source } = found;
  switch (request.propagation) {
    case "private":
      // A private copy of berth's own mounts would keep every container's root busy for as long as this container lives.
      return storageRoots.some((root) => isAtOrBelow(root, source.path)) ? "rslave" : "rprivate";
    case "host-to-container":
      if (source.propagation === "private") throw cannotPropagate(found, "shared or slave");
      return "rslave";
    case "bidirectional":
      if (source.propagation !== "shared") throw cannotPropagate(found, "shared");
      return "rshared";
  }
}

function cannotPropagate({ request, source }: FoundMount, needed: string): DomainError {
  return new DomainError(
    "failed-precondition",
    `the volume at ${request.containerPath} asks for ${request.propagation} propagation, but ${source.path} is on the mount ` +
      `${source.mountPoint}, which is not ${needed} on this node`,
    { facts: { hostPath: source.path, mountPoint: source.mountPoint, propagation: source.propagation } },
  );
}

function accessOptions(request: MountRequest, features: OciFeatures): string[] {
  if (request.image !== undefined) return ["ro", "nosuid", "nodev", "noexec"];
  if (!request.recursiveReadOnly) return [request.readonly ? "ro" : "rw"];
  const contradiction = !request.readonly
    ? "is not read-only"
    : request.propagation !== "private"
      ? "is not private"
      : "";
  if (contradiction !== "")
    throw new DomainError(
      "invalid-argument",
      `the volume at ${request.containerPath} is asked to be recursively read-only, but ${contradiction}`,
    );
  if (features.mountOptions?.includes("rro") !== true)
    throw new DomainError(
      "unimplemented",
      `the volume at ${request.containerPath} needs a recursively read-only mount, which this OCI runtime does not support`,
    );
  return ["rro"];
}
