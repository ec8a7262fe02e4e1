import type { Handler } from "../call.ts";
import { type RuntimeService, StreamContainersResponseSchema } from "../gen/runtime/v1/api_pb.ts";
import { containerItems } from "../items.ts";
import { containerFilterFromWire } from "../translate/filters.ts";

export const streamContainers: Handler<typeof RuntimeService.method.streamContainers> = ({ filter }, { runtime }) =>
  containerItems.batches(StreamContainersResponseSchema, runtime.containers.list(containerFilterFromWire(filter)));
