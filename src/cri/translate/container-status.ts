import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Container } from "#domain/container/container.ts";
import type { ContainerSchema, ContainerState, ContainerStatusSchema } from "../gen/runtime/v1/api_pb.ts";
import { containerStates } from "./enums.ts";
import { imageSpecToWire } from "./image-spec.ts";
import { mountToWire } from "./mount.ts";
import { resourcesToWire } from "./resources.ts";
import { signalToWire } from "./signals.ts";
import { timestampNs } from "./time.ts";

/** Container, the item of lists. */
export function containerToWire(container: Container): MessageInitShape<typeof ContainerSchema> {
  const { metadata, image, labels, annotations } = container.request;
  return {
    id: container.id,
    podSandboxId: container.sandboxId,
    metadata,
    image: imageSpecToWire(image),
    imageRef: container.imageRef,
    imageId: container.imageId,
    state: stateToWire(container),
    createdAt: timestampNs(container.createdAtNs),
    labels,
    annotations,
  };
}

export function containerStatusToWire(container: Container): MessageInitShape<typeof ContainerStatusSchema> {
  const { metadata, image, labels, annotations } = container.request;
  const { uid, gid, supplementalGroups } = container.user;
  return {
    id: container.id,
    metadata,
    state: stateToWire(container),
    createdAt: timestampNs(container.createdAtNs),
    ...lifeToWire(container),
    image: imageSpecToWire(image),
    imageRef: container.imageRef,
    imageId: container.imageId,
    labels,
    annotations,
    mounts: container.mounts.map(mountToWire),
    logPath: container.logPath,
    resources: container.resources && { linux: resourcesToWire(container.resources) },
    user: { linux: { uid: BigInt(uid), gid: BigInt(gid), supplementalGroups: supplementalGroups.map(BigInt) } },
    stopSignal: signalToWire(container.stopSignal),
  };
}

/** What a container is seen as: one under way to its creation is created, one under way to its removal has exited. */
function stateToWire({ state }: Container): ContainerState {
  switch (state.kind) {
    case "creating":
    case "created":
      return containerStates.toWire("created");
    case "running":
      return containerStates.toWire("running");
    case "exited":
    case "removing":
      return containerStates.toWire("exited");
  }
}

function lifeToWire({ state }: Container) {
  switch (state.kind) {
    case "creating":
    case "created":
      return {};
    case "running":
      return { startedAt: timestampNs(state.startedAtNs) };
    case "exited":
    case "removing": {
      const { exitCode, finishedAtNs, reason, message } = state.exit;
      return {
        startedAt: timestampNs(state.startedAtNs),
        finishedAt: timestampNs(finishedAtNs),
        exitCode,
        reason,
        message,
      };
    }
  }
}
