import type { Handler } from "../call.ts";
import { ListPodSandboxResponseSchema, type RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { sandboxItems } from "../items.ts";
import { sandboxFilterFromWire } from "../translate/filters.ts";

export const listPodSandbox: Handler<typeof RuntimeService.method.listPodSandbox> = ({ filter }, { runtime }) =>
  sandboxItems.list(ListPodSandboxResponseSchema, runtime.sandboxes.list(sandboxFilterFromWire(filter)));
