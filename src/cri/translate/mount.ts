import path from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ContainerMount } from "#domain/container/container.ts";
import type { MountRequest } from "#domain/container/request.ts";
import type { Mount, MountSchema } from "../gen/runtime/v1/api_pb.ts";
import { propagations } from "./enums.ts";
import { imageSpecFromWire } from "./image-spec.ts";
import { absolutePath, invalid, nonEmpty } from "./required.ts";
import { idMapping } from "./security.ts";

/** Mount of a request; `field` is where it was, for errors. */
export function mountFromWire(mount: Mount, field: string): MountRequest {
  return {
    containerPath: path.posix.join("/", nonEmpty(mount.containerPath, `${field}.container_path`)),
    hostPath: hostPathFromWire(mount, field),
    readonly: mount.readonly,
    recursiveReadOnly: mount.recursiveReadOnly,
    selinuxRelabel: mount.selinuxRelabel,
    propagation: propagations.toDomain(mount.propagation, `${field}.propagation`),
    uidMappings: mount.uidMappings.map(idMapping),
    gidMappings: mount.gidMappings.map(idMapping),
    image: mount.image && imageSpecFromWire(mount.image, `${field}.image`),
    imageSubPath: mount.imageSubPath,
  };
}

/** CRI: the host path is empty exactly when an image is mounted. */
function hostPathFromWire({ hostPath, image }: Mount, field: string): string {
  if (image !== undefined) {
    if (hostPath !== "") throw invalid(`${field}.host_path`, "is given besides image");
    return "";
  }
  return absolutePath(hostPath, `${field}.host_path`);
}

/** Mount of a status. */
export function mountToWire(mount: ContainerMount): MessageInitShape<typeof MountSchema> {
  return {
    containerPath: mount.containerPath,
    hostPath: mount.hostPath,
    readonly: mount.readonly,
    recursiveReadOnly: mount.recursiveReadOnly,
    selinuxRelabel: mount.selinuxRelabel,
    propagation: propagations.toWire(mount.propagation),
    uidMappings: mount.uidMappings,
    gidMappings: mount.gidMappings,
    image: mount.image === undefined ? undefined : { image: mount.image },
    imageSubPath: mount.imageSubPath ?? "",
  };
}
