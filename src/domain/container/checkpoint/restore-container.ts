import path from "node:path";
import type { Monitored } from "#drivers/monitor/index.ts";
import { DomainError, kindOf, messageOf } from "#errors/domain-error.ts";
import { checkpointPart } from "#spec/checkpoint.ts";
import { encodeOci } from "#spec/oci-runtime-json.ts";
import type { ContainerDrivers } from "../container-drivers.ts";
import type { Container } from "../container.ts";
import { withState } from "../container.ts";
import { monitoredCreate } from "../monitored-create.ts";
import type { BuiltSpec } from "../oci-spec/build-container-spec.ts";
import { requireMounts } from "./restored-request.ts";
import type { TakenCheckpoint } from "./take-checkpoint.ts";

const restoreLog = "restore.log";

/** Gives a container whose root is mounted the files of a checkpoint; its processes come with `restoreContainer`. */
export async function prepareRestore(
  drivers: ContainerDrivers,
  draft: Container,
  built: BuiltSpec,
  checkpoint: TakenCheckpoint,
): Promise<Container> {
  const { from, parts, content } = checkpoint;
  const { restores } = drivers.checkpoints;
  requireMounts(from, content, built.spec.mounts);
  const archive = await restores.rootfsDiff(parts);
  const deleted = parseDeleted(from, await restores.read(parts, checkpointPart.deletedFiles));
  await drivers.storage.applyRootfsChanges(draft.id, { ...(archive === undefined ? {} : { archive }), deleted });
  if (draft.logPath !== "") await restores.appendLog(parts, draft.logPath);
  await drivers.bundles.create(draft.id, { "config.json": encodeOci(built.spec) });
  const { uid, gid, additionalGids } = built.user;
  return {
    ...withState(draft, { kind: "created" }),
    user: { uid, gid, supplementalGroups: additionalGids },
    restore: { parts, checkpointedAtNs: content.checkpointedAtNs },
  };
}

function parseDeleted(from: string, text = "[]"): string[] {
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value)) return value.filter((one) => typeof one === "string");
  } catch {
    // Said below.
  }
  throw new DomainError("invalid-argument", `checkpoint ${from}: its ${checkpointPart.deletedFiles} is no list`);
}

/**
 * Brings the processes of a created container back to life: a monitor calls the runtime's `restore`. Afterwards they run.
 * @throws DomainError internal with criu's reasons
 */
export async function restoreContainer(
  drivers: ContainerDrivers,
  container: Container,
  parts: string,
): Promise<Monitored> {
  const { sandboxes, monitor, cgroups, bundles, checkpoints } = drivers;
  const sandbox = sandboxes.index.get(container.sandboxId);
  const bundle = bundles.path(container.id);
  try {
    return await monitor.create({
      ...monitoredCreate(drivers, sandbox, container, bundle),
      restoreFrom: checkpoints.restores.images(parts),
    });
  } catch (error) {
    const reasons = await checkpoints.criuErrors(path.join(bundle, restoreLog));
    await monitor.forget(container.id);
    await cgroups.removeMonitorGroup(sandbox.cgroupParent, container.id);
    throw new DomainError(kindOf(error), `${messageOf(error)}${reasons === "" ? "" : `; criu: ${reasons}`}`, {
      cause: error,
    });
  }
}
