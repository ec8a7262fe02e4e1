import type { Handler } from "../call.ts";
import { type RuntimeService, StreamPodSandboxesResponseSchema } from "../gen/runtime/v1/api_pb.ts";
import { sandboxItems } from "../items.ts";
import { sandboxFilterFromWire } from "../translate/filters.ts";

export const streamPodSandboxes: Handler<typeof RuntimeService.method.streamPodSandboxes> = ({ filter }, { runtime }) =>
  sandboxItems.batches(StreamPodSandboxesResponseSchema, runtime.sandboxes.list(sandboxFilterFromWire(filter)));
