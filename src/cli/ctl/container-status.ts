import { setTimeout as pause } from "node:timers/promises";
import type { CriClient } from "#cri/client.ts";
import { ContainerState, RuntimeService, type ContainerStatus } from "#cri/gen/runtime/v1/api_pb.ts";
import { CtlError } from "./subcommand.ts";

/** Runtimes may serve no events, so the end of a container is looked for this often. */
const lookEveryMs = 200;

export async function containerStatus(client: CriClient, containerId: string): Promise<ContainerStatus> {
  const { status } = await client.call(RuntimeService.method.containerStatus, { containerId });
  if (status === undefined) throw new CtlError(`the runtime knows no status of container ${containerId}`);
  return status;
}

/** Resolves with the container's status once it has ended; with undefined when `signal` aborts before. */
export async function untilExit(
  client: CriClient,
  containerId: string,
  signal: AbortSignal,
): Promise<ContainerStatus | undefined> {
  while (!signal.aborted) {
    const status = await containerStatus(client, containerId);
    if (status.state === ContainerState.CONTAINER_EXITED) return status;
    await pause(lookEveryMs, undefined, { signal }).catch(() => {});
  }
  return undefined;
}
