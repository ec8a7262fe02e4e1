import { refusePaused } from "#domain/container/exec-sync.ts";
import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { runningContainer } from "../running.ts";
import { served } from "../served.ts";
import { commandFromWire } from "../translate/command.ts";
import { nonEmpty } from "../translate/required.ts";

export const exec: Handler<typeof RuntimeService.method.exec> = async (request, { runtime, streaming }) => {
  const urls = served(streaming, "exec");
  const command = commandFromWire(request.cmd);
  const container = runningContainer(runtime, nonEmpty(request.containerId, "container_id"), "exec");
  refusePaused(container);
  const { tty, stdin, stdout, stderr } = request;
  return { url: await urls.execUrl({ containerId: container.id, command, tty, stdin, stdout, stderr }) };
};
