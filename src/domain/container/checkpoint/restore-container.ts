import path from "node:path";
import type { Monitored } from "#drivers/monitor/index.ts";
import { DomainError, kindOf, messageOf } from "#errors/domain-error.ts";
import { checkpointPart } from "#spec/checkpoint.ts";
import { encodeOci } from "#spec/oci-runtime-json.ts";
import type { OciSpec } from "#spec/oci-runtime.ts";
import type { ContainerDrivers } from "../container-drivers.ts";
import type { Container } from "../container.ts";
import { withState } from "../container.ts";
import { monitoredCreate } from "../monitored-create.ts";
import type { BuiltSpec } from "../oci-spec/build-container-spec.ts";
import { requireMounts } from "./restored-request.ts";
import type { TakenCheckpoint } from "./take-checkpoint.ts";

const restoreLog = "restore.log";
/** Names a file of options for criu to the runtime, which win over what the runtime says. */
const criuOptionsAnnotation = "org.criu.config";
const criuOptionsFile = "criu.conf";

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
  await writeBundle(drivers, draft, built.spec);
  const { uid, gid, additionalGids } = built.user;
  return {
    ...withState(draft, { kind: "created" }),
    user: { uid, gid, supplementalGroups: additionalGids },
    restore: { parts, checkpointedAtNs: content.checkpointedAtNs },
  };
}

/**
 * By default criu puts processes into the cgroups that they were in before, and on cgroup v2 no runtime names the new one to it. Told to
 * leave cgroups alone, it leaves them in the one that the runtime has put criu itself into.
 */
async function writeBundle(drivers: ContainerDrivers, draft: Container, spec: OciSpec): Promise<void> {
  const { bundles, checkpoints, runtimes } = drivers;
  const usual = `/etc/criu/${path.basename(runtimes.get(draft.runtimeHandler).path)}.conf`;
  const options = await checkpoints.criuOptions(spec.annotations[criuOptionsAnnotation] ?? usual);
  const annotations = {
    ...spec.annotations,
    [criuOptionsAnnotation]: path.join(bundles.path(draft.id), criuOptionsFile),
  };
  await bundles.create(draft.id, {
    "config.json": encodeOci({ ...spec, annotations }),
    [criuOptionsFile]: `${options}\nmanage-cgroups=ignore\n`,
  });
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
  const { process, linux } = JSON.parse(await bundles.readFile(container.id, "config.json")) as OciSpec;
  try {
    return await monitor.create({
      ...monitoredCreate(drivers, sandbox, container, bundle),
      restore: {
        images: checkpoints.restores.images(parts),
        processLabel: process.selinuxLabel ?? "",
        mountLabel: linux.mountLabel ?? "",
      },
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
