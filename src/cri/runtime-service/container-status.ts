import type { Handler } from "../call.ts";
import { encode, EncodedMessage } from "../encoded-message.ts";
import { ContainerStatusResponseSchema, type RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import type { Container } from "#domain/container/container.ts";
import { containerStatuses } from "../items.ts";
import { nonEmpty } from "../translate/required.ts";

export const containerStatus: Handler<typeof RuntimeService.method.containerStatus> = (
  { containerId, verbose },
  { runtime },
) => {
  const container = runtime.containers.get(nonEmpty(containerId, "container_id"));
  return verbose ? runtime.containers.verbose(container).then((info) => answer(container, info)) : answer(container);
};

function answer(container: Container, info: Record<string, string> = {}) {
  return EncodedMessage.of(ContainerStatusResponseSchema, [
    ...containerStatuses.inField(ContainerStatusResponseSchema.field.status, [container]),
    encode(ContainerStatusResponseSchema, { info }),
  ]);
}
