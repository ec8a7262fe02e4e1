import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { runningContainer } from "../running.ts";
import { served } from "../served.ts";
import { nonEmpty } from "../translate/required.ts";

export const attach: Handler<typeof RuntimeService.method.attach> = async (request, { runtime, streaming }) => {
  const urls = served(streaming, "attach");
  const { id } = runningContainer(runtime, nonEmpty(request.containerId, "container_id"), "attach");
  const { tty, stdin, stdout, stderr } = request;
  return { url: await urls.attachUrl({ containerId: id, tty, stdin, stdout, stderr }) };
};
