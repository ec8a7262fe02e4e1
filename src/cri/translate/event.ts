import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ContainerEvent } from "#domain/runtime.ts";
import { ContainerEventType, type ContainerEventResponseSchema } from "../gen/runtime/v1/api_pb.ts";
import { containerStatusToWire } from "./container-status.ts";
import { sandboxStatusToWire } from "./sandbox-status.ts";
import { timestampNs } from "./time.ts";

const eventTypes: Readonly<Record<ContainerEvent["type"], ContainerEventType>> = {
  created: ContainerEventType.CONTAINER_CREATED_EVENT,
  started: ContainerEventType.CONTAINER_STARTED_EVENT,
  stopped: ContainerEventType.CONTAINER_STOPPED_EVENT,
  deleted: ContainerEventType.CONTAINER_DELETED_EVENT,
};

export function eventToWire(event: ContainerEvent): MessageInitShape<typeof ContainerEventResponseSchema> {
  return {
    containerId: event.containerId,
    containerEventType: eventTypes[event.type],
    createdAt: timestampNs(event.createdAtNs),
    podSandboxStatus: event.sandbox && sandboxStatusToWire(event.sandbox),
    containersStatuses: event.containers.map(containerStatusToWire),
  };
}
