import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { served } from "../served.ts";
import { eventToWire } from "../translate/event.ts";

export const getContainerEvents: Handler<typeof RuntimeService.method.getContainerEvents> = async function* (
  _request,
  { runtime, signal },
) {
  for await (const event of served(runtime.events, "container events").subscribe(signal)) yield eventToWire(event);
};
