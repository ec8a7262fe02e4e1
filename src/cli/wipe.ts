import type { FlagValues } from "#config/index.ts";
import { connect, type CriClient } from "#cri/client.ts";
import { ImageService, PodSandboxState, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import { parseFlags } from "./flag-parser.ts";
import { socketFlag, socketOf } from "./status.ts";

const callTimeoutMs = 120_000;

/**
 * `berth wipe [-f] [-s SOCKET]`: removes all pods, containers and images by way of the running daemon, which knows what
 * belongs to it. Pods that are ready are an error unless forced.
 */
export async function wipe(global: FlagValues, argv: readonly string[]): Promise<number> {
  const { values } = parseFlags(argv, [socketFlag, { names: ["force"], short: "f", isBoolean: true }]);
  using client = connect(await socketOf(global, values), { defaultTimeoutMs: callTimeoutMs });
  const { items } = await client.call(RuntimeService.method.listPodSandbox, {});
  const ready = items.filter(({ state }) => state === PodSandboxState.SANDBOX_READY);
  if (ready.length > 0 && !values.has("force")) {
    throw new DomainError("failed-precondition", `${ready.length} pods are ready; --force stops and removes them`);
  }
  const failures = [
    ...(await removeEach(
      items.map(({ id }) => id),
      (id) => removePod(client, id),
    )),
    ...(await removeImages(client)),
  ];
  for (const failure of failures) process.stderr.write(`berth wipe: ${failure}\n`);
  return failures.length === 0 ? 0 : 1;
}

async function removePod(client: CriClient, podSandboxId: string): Promise<void> {
  await client.call(RuntimeService.method.stopPodSandbox, { podSandboxId });
  await client.call(RuntimeService.method.removePodSandbox, { podSandboxId });
}

async function removeImages(client: CriClient): Promise<string[]> {
  const { images } = await client.call(ImageService.method.listImages, {});
  return await removeEach(
    images.map(({ id }) => id),
    async (id) => {
      await client.call(ImageService.method.removeImage, { image: { image: id } });
    },
  );
}

/** Tries every one; returns what failed. */
async function removeEach(ids: readonly string[], remove: (id: string) => Promise<void>): Promise<string[]> {
  const failures: string[] = [];
  for (const id of ids) {
    try {
      await remove(id);
      process.stdout.write(`${id}\n`);
    } catch (error) {
      failures.push(`${id}: ${messageOf(error)}`);
    }
  }
  return failures;
}
