import type { Handler } from "../call.ts";
import { ListContainersResponseSchema, type RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { containerItems } from "../items.ts";
import { containerFilterFromWire } from "../translate/filters.ts";

export const listContainers: Handler<typeof RuntimeService.method.listContainers> = ({ filter }, { runtime }) =>
  containerItems.list(ListContainersResponseSchema, runtime.containers.list(containerFilterFromWire(filter)));
