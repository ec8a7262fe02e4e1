import { descriptorCarriers } from "#drivers/streams/descriptor-carriers.ts";
import type { BackendContext, StreamingBackend } from "#streaming/backend.ts";
import { attach } from "./attach.ts";
import { exec } from "./exec.ts";
import { portForward } from "./port-forward.ts";
import type { Ask } from "./questions.ts";

/** What the streaming worker runs its sessions with; built there. */
export async function createBackend(context: BackendContext): Promise<StreamingBackend> {
  const { logger } = context;
  // The main thread answers by the table that `Ask` is made from.
  const ask = context.ask as Ask;
  await ask("begin", undefined);
  return {
    exec: (request, streams, signal) => exec(descriptorCarriers, ask, logger, request, streams, signal),
    attach: (request, streams, signal) => attach(descriptorCarriers, ask, logger, request, streams, signal),
    portForward: (request, port, stream, signal) => portForward(descriptorCarriers, ask, request, port, stream, signal),
  };
}
