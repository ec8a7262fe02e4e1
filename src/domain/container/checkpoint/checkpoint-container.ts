import path from "node:path";
import type { DumpPlaces } from "#drivers/checkpoints/index.ts";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import { nowNs } from "#lib/clock.ts";
import { checkpointPart } from "#spec/checkpoint.ts";
import type { OciSpec } from "#spec/oci-runtime.ts";
import type { ContainerDrivers } from "../container-drivers.ts";
import { isRunning } from "../container.ts";
import type { Container } from "../container.ts";
import { dumpDocuments, externalMounts, mountPlaces } from "./dump-documents.ts";
import { whileFrozen } from "./freeze.ts";
import { requireCriu } from "./usable-criu.ts";

type CheckpointDrivers = Pick<
  ContainerDrivers,
  "checkpoints" | "runtimes" | "store" | "sandboxes" | "storage" | "logger"
> & {
  settings: Pick<ContainerDrivers["settings"], "criuEnabled" | "isSandboxed">;
  images: Pick<ContainerDrivers["images"], "find">;
  bundles: Pick<ContainerDrivers["bundles"], "path" | "readFile">;
};

/**
 * Writes an archive of a running container to `location`: its memory, its files and what it was made of. The container stands still
 * while it is looked at and goes on while the archive is written. A call that fails, or whose `signal` aborts, leaves nothing.
 * @throws DomainError failed-precondition where this cannot be done, internal with criu's reasons, or the signal's reason
 */
export async function checkpointContainer(
  drivers: CheckpointDrivers,
  container: Container,
  location: string,
  signal: AbortSignal,
): Promise<void> {
  const { dumps } = drivers.checkpoints;
  await dumps.checkLocation(location);
  requireRunning(container);
  await requireCriu(drivers, container.runtimeHandler);
  const spec = JSON.parse(await drivers.bundles.readFile(container.id, "config.json")) as OciSpec;
  const checkpointedAtNs = nowNs();
  await using undo = new AsyncDisposableStack();
  // Made even when all goes well: the archive is all that is kept.
  undo.defer(() => dumps.end(container.id));
  const places = await dumps.begin(container.id);
  await dumps.write(container.id, await documents(drivers, container, spec, checkpointedAtNs));
  await whileFrozen(drivers, container, async () => {
    await dumpProcesses(drivers, container, places, signal);
    await dumpFiles(drivers, container, spec, places, signal);
  });
  await dumps.pack(container.id, location, signal);
  await drivers.store.update(container.id, (current) => ({ ...current, checkpointedAtNs }));
  drivers.logger.info("container is checkpointed", { container: container.id, location });
}

function requireRunning(container: Container): void {
  if (isRunning(container)) return;
  throw new DomainError(
    "failed-precondition",
    `container ${container.id} is ${container.state.kind}, only a running one can be checkpointed`,
  );
}

async function documents(
  drivers: CheckpointDrivers,
  container: Container,
  spec: OciSpec,
  checkpointedAtNs: string,
): Promise<Record<string, string>> {
  const image = drivers.images.find(container.imageId);
  const { name = "", namespace = "" } = drivers.sandboxes.index.current(container.sandboxId)?.request.metadata ?? {};
  return dumpDocuments({
    container,
    spec,
    imageName: image?.repoTags[0] ?? image?.repoDigests[0] ?? container.imageRef,
    pod: { name, namespace },
    bindMounts: await drivers.checkpoints.dumps.describe(externalMounts(spec)),
    checkpointedAt: new Date(Number(BigInt(checkpointedAtNs) / 1_000_000n)),
  });
}

async function dumpProcesses(
  drivers: CheckpointDrivers,
  container: Container,
  { images, work, processFile }: DumpPlaces,
  signal: AbortSignal,
): Promise<void> {
  const options = { imagePath: images, workPath: work, processFile, signal };
  try {
    await drivers.runtimes.get(container.runtimeHandler).checkpoint(container.id, options);
  } catch (error) {
    signal.throwIfAborted();
    const reasons = await drivers.checkpoints.criuErrors(path.join(work, checkpointPart.dumpLog));
    const log = path.join(drivers.bundles.path(container.id), checkpointPart.dumpLog);
    await drivers.checkpoints.dumps.keepLog(container.id, log);
    const said = `${reasons === "" ? "" : `; criu: ${reasons}`}; criu's log is ${log}`;
    throw new DomainError("internal", `${messageOf(error)}${said}`, { cause: error });
  }
}

async function dumpFiles(
  drivers: CheckpointDrivers,
  container: Container,
  spec: OciSpec,
  { listFile }: DumpPlaces,
  signal: AbortSignal,
): Promise<void> {
  const { dumps } = drivers.checkpoints;
  const ignored = mountPlaces(spec);
  const { mountPath, changed, deleted } = await drivers.storage.rootfsChanges(container.id, { ignored, listFile });
  if (changed > 0) await dumps.packChanges(container.id, mountPath, signal);
  if (deleted.length > 0) {
    const absolute = deleted.map((one) => `/${one}`);
    await dumps.write(container.id, { [checkpointPart.deletedFiles]: JSON.stringify(absolute, undefined, 2) });
  }
  if (container.logPath !== "") await dumps.copyLog(container.id, container.logPath);
}
