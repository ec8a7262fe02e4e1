import { DomainError } from "#errors/domain-error.ts";
import type { ImageInUse } from "#domain/image/image.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import { settleAll } from "#lib/settle.ts";
import { cdiDeviceNames } from "./oci-spec/cdi-edits.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import { fullName } from "./full-name.ts";
import type { Container } from "./container.ts";
import { annotatedDevices } from "./annotated-devices.ts";
import type { FoundDevice } from "./oci-spec/devices.ts";
import type { ContainerSpecInputs, SpecPolicy } from "./oci-spec/spec-inputs.ts";
import { declaredVolumeMounts } from "./declared-volumes.ts";
import { mountImageVolume, type VolumeImages } from "./image-volumes.ts";
import { filesLabel, rootView } from "./root-view.ts";
import { workloadOf } from "./workload.ts";
import { nodeMounts } from "./node-mounts.ts";
import { nodeHooks } from "./node-hooks.ts";
import type { FoundMount } from "./oci-spec/volume-mount.ts";
import { providedMounts, sandboxFacts } from "./pod-inputs.ts";
import type { MountRequest } from "./request.ts";

/** Everything that config.json of a container depends on, but for what only its mounted root can tell. */
export async function containerInputs(
  drivers: ContainerDrivers,
  sandbox: Sandbox,
  draft: Container,
  image: ImageInUse,
  volumeImages: VolumeImages,
): Promise<ContainerSpecInputs> {
  const { security } = drivers;
  const { request } = draft;
  const { privileged, seccomp, apparmor, namespaceOptions } = request.linux.securityContext;
  const cdiNames = cdiDeviceNames(request);
  // Processes of this type may use all files as they are: volumes that they get are not changed under everybody else.
  const relabels = request.linux.securityContext.selinux?.type !== "spc_t";
  const ownLabel = filesLabel(drivers, sandbox, request);
  await security.checkSelinuxLabel(ownLabel);
  const label = relabels ? ownLabel : "";
  const [policy, volumes, devices, hostDevices, seccompText, cdi, hooks, ofNode] = await settleAll([
    drivers.settings.specPolicy(draft.runtimeHandler),
    findVolumes(drivers, sandbox, draft, volumeImages, label),
    findDevices(drivers, sandbox, draft),
    privileged ? security.hostDevices() : [],
    seccomp.type === "localhost" ? security.readSeccompProfile(seccomp.localhostRef) : undefined,
    cdiNames.length > 0 ? security.cdi.resolve(cdiNames) : undefined,
    nodeHooks(drivers, sandbox, request, image),
    nodeMounts(drivers, sandbox, draft, label),
  ]);
  if (apparmor.type === "localhost") await checkApparmor(drivers, apparmor.localhostRef);
  return {
    host: security.facts,
    policy: { ...policy, allowedAnnotations: allowedKeys(drivers, sandbox, policy) },
    sandbox: sandboxFacts(sandbox),
    container: {
      id: draft.id,
      name: fullName(request.metadata, sandbox.request.metadata),
      createdAt: new Date(Number(BigInt(draft.createdAtNs) / 1_000_000n)),
      request,
      image,
      rootfs: { path: "", passwd: "", group: "" },
      volumes,
      provided: [
        ...declaredVolumeMounts(drivers, draft.id, image.config, drivers.settings.declaredVolumes, request),
        ...providedMounts(sandbox, request),
        ...ofNode,
      ],
      devices,
      hostDevices,
      logPath: draft.logPath,
      seccompText,
      targetPidPath: targetPidPath(drivers, sandbox, namespaceOptions),
      cdi,
      hooks,
      blockIo: undefined,
      rdtClosId: undefined,
    },
  };
}

/** Beginnings of restricted annotation keys that the pod's handler or its workload allows. */
function allowedKeys(drivers: ContainerDrivers, sandbox: Sandbox, policy: SpecPolicy): readonly string[] {
  const workload = workloadOf(drivers.settings.workloads, sandbox.request.annotations);
  return workload === undefined
    ? policy.allowedAnnotations
    : [...policy.allowedAnnotations, ...workload.allowedAnnotations];
}

/** Those of the pod's annotation, then those of the request. */
async function findDevices(drivers: ContainerDrivers, sandbox: Sandbox, draft: Container): Promise<FoundDevice[]> {
  const policy = await drivers.settings.specPolicy(draft.runtimeHandler);
  const requested = draft.request.devices.map(async (device) => ({
    request: device,
    nodes: await drivers.security.devicesAt(device.hostPath),
  }));
  const annotated = annotatedDevices(drivers, sandbox, draft.request, allowedKeys(drivers, sandbox, policy));
  const [first, ...others] = await settleAll([annotated, ...requested]);
  return [first, others].flat(2);
}

/** Adds what the root itself says: where it is, and who is who in it. */
export async function inputsFromRootfs(
  drivers: ContainerDrivers,
  inputs: ContainerSpecInputs,
  mountPath: string,
): Promise<ContainerSpecInputs> {
  const [passwd, group] = await Promise.all([
    drivers.rootfs.readText(mountPath, "/etc/passwd"),
    drivers.rootfs.readText(mountPath, "/etc/group"),
  ]);
  return { ...inputs, container: { ...inputs.container, rootfs: { path: mountPath, passwd, group } } };
}

/** What the request mounts, in its order: paths of the host, and images, which are mounted now. */
function findVolumes(
  drivers: ContainerDrivers,
  sandbox: Sandbox,
  { id, request }: Container,
  images: VolumeImages,
  label: string,
): Promise<FoundMount[]> {
  const view = rootView(drivers, sandbox, request);
  return settleAll(
    request.mounts.map((mount, index) => {
      const content = images[index];
      return content === undefined
        ? findVolume(drivers, mount, label)
        : mountImageVolume(drivers, { containerId: id, volume: index, view }, mount, content);
    }),
  );
}

async function findVolume(drivers: ContainerDrivers, mount: MountRequest, label: string): Promise<FoundMount> {
  if (mount.hostPath === "")
    throw new DomainError("invalid-argument", `the mount at ${mount.containerPath} has no host path`);
  const source = await drivers.security.mountSource({ hostPath: mount.hostPath, propagation: mount.propagation });
  if (mount.selinuxRelabel && label !== "") await drivers.security.relabel(source.path, label, { shared: false });
  return { request: mount, source };
}

async function checkApparmor(drivers: ContainerDrivers, reference: string): Promise<void> {
  const profile = reference.replace(/^localhost\//, "");
  if (!drivers.security.facts.apparmor.enabled) {
    throw new DomainError(
      "failed-precondition",
      `AppArmor profile ${profile} cannot be used: AppArmor is off on this node`,
    );
  }
  if (await drivers.security.isApparmorProfileLoaded(profile)) return;
  throw new DomainError("not-found", `AppArmor profile ${profile} is not loaded on this node`);
}

/** Processes of other pods are not to be seen: the target is a container of the same one. */
function targetPidPath(
  drivers: ContainerDrivers,
  sandbox: Sandbox,
  options: { pid: string; targetId: string },
): string | undefined {
  if (options.pid !== "target") return undefined;
  const target = drivers.store.index.get(options.targetId);
  if (target.sandboxId !== sandbox.id) {
    throw new DomainError(
      "invalid-argument",
      `container ${target.id}, whose PID namespace is to be joined, is not of pod sandbox ${sandbox.id} but of ${target.sandboxId}`,
    );
  }
  if (target.process === undefined || target.state.kind !== "running") {
    throw new DomainError(
      "failed-precondition",
      `container ${target.id}, whose PID namespace is to be joined, is not running`,
    );
  }
  return `/proc/${target.process.pid}/ns/pid`;
}
