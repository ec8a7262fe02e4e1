import path from "node:path";
import { DomainError } from "#errors/domain-error.ts";
import type { ImageInUse } from "#domain/image/image.ts";
import { handlerOf, type Sandbox } from "#domain/sandbox/sandbox.ts";
import { encodeOci } from "#spec/oci-runtime-json.ts";
import { nowNs } from "#lib/clock.ts";
import { newId } from "#lib/ids.ts";
import { settleAll } from "#lib/settle.ts";
import { cgroupsPath } from "#domain/sandbox/cgroups-path.ts";
import { checkLabels, containerLabels } from "#domain/sandbox/kubernetes-labels.ts";
import { prepareRestore } from "./checkpoint/restore-container.ts";
import { takeCheckpoint } from "./checkpoint/take-checkpoint.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import { containerInputs, inputsFromRootfs } from "./container-inputs.ts";
import type { Container, ContainerMount } from "./container.ts";
import { createByMonitor } from "./create-by-monitor.ts";
import { makeDeclaredVolumes } from "./declared-volumes.ts";
import { type VolumeImages, volumeImageIds, volumeImages } from "./image-volumes.ts";
import { rootView } from "./root-view.ts";
import { buildContainerSpec } from "./oci-spec/build-container-spec.ts";
import type { BuiltSpec } from "./oci-spec/build-container-spec.ts";
import type { ContainerRequest } from "./request.ts";
import { withWorkload, workloadOf } from "./workload.ts";
import { provideUserFiles } from "./user-files.ts";

/** How soon after the request the runtime moves the new process into its cgroups, at the latest. */
const movesWithinMs = 100;

/** File of the bundle with the process section alone, for exec. */
export const processFile = "process.json";

/**
 * Makes a container up to the point where its process waits to be started. A failed call leaves nothing.
 * @throws DomainError
 */
export async function createContainer(
  drivers: ContainerDrivers,
  sandbox: Sandbox,
  asked: ContainerRequest,
): Promise<Container> {
  drivers.cgroups.expectMoves(movesWithinMs);
  await using undo = new AsyncDisposableStack();
  const checkpoint = await takeCheckpoint(drivers, sandbox, asked, undo);
  const request = inWorkload(drivers, inPod(checkpoint?.request ?? asked, sandbox), sandbox);
  const image = drivers.images.use(request.image.image);
  const volumes = await volumeImages(drivers, sandbox, request);
  const draft = describe(drivers, sandbox, request, image, volumes);
  undo.defer(() => drivers.store.delete(draft.id));
  await settleAll([drivers.store.put(draft), drivers.images.allow(request.image, sandbox.request.metadata.namespace)]);
  refuseUnlessReady(drivers, sandbox);

  const rootfs = drivers.storage.createRootfs(draft.id, image.chainIds, rootView(drivers, sandbox, request));
  undo.defer(() => drivers.storage.removeRootfs(draft.id));
  undo.defer(() => drivers.imageVolumes.remove(draft.id));
  undo.defer(() => drivers.bundles.remove(draft.id));
  const finish =
    checkpoint === undefined
      ? createByMonitor(drivers, sandbox, draft, undo)
      : (built: BuiltSpec) => prepareRestore(drivers, draft, built, checkpoint);
  const gathering = containerInputs(drivers, sandbox, draft, image, volumes);
  const [gathered, { mountPath }] = await settleAll([gathering, rootfs]);
  const inputs = await inputsFromRootfs(drivers, gathered, mountPath);
  const built = buildContainerSpec(inputs);
  for (const warning of built.warnings) drivers.logger.debug(warning, { container: draft.id });
  await drivers.security.checkSelinuxLabel(built.labels.processLabel);

  await drivers.rootfs.ensureDirectory(mountPath, built.spec.process.cwd, built.user);
  await makeDeclaredVolumes(drivers, sandbox, { draft, rootfs: mountPath, owner: built.user }, image.config);
  await drivers.bundles.create(draft.id, { [processFile]: encodeOci(built.spec.process) });
  await provideUserFiles(drivers, draft.id, inputs, built);

  const created = await finish(built);
  const container = await drivers.store.update(draft.id, () => ({
    ...created,
    mounts: mountsOf(inputs.container.volumes, volumes),
  }));
  undo.move();
  drivers.logger.info("container is created", {
    container: draft.id,
    sandbox: sandbox.id,
    name: request.metadata.name,
  });
  return container ?? created;
}

/** Network, IPC and user namespace belong to the pod: what the container's request says of them cannot differ. */
function inPod(request: ContainerRequest, sandbox: Sandbox): ContainerRequest {
  const { network, ipc, userns } = sandbox.request.linux.securityContext.namespaceOptions;
  const { securityContext } = request.linux;
  const namespaceOptions = { ...securityContext.namespaceOptions, network, ipc, userns };
  checkLabels(request.labels);
  const labels = containerLabels(request.labels, request.metadata.name, sandbox.request.metadata);
  return { ...request, labels, linux: { ...request.linux, securityContext: { ...securityContext, namespaceOptions } } };
}

/** Pods that opt in to a workload get its resources. */
function inWorkload(drivers: ContainerDrivers, request: ContainerRequest, sandbox: Sandbox): ContainerRequest {
  const pod = sandbox.request.annotations;
  const workload = workloadOf(drivers.settings.workloads, pod);
  if (workload === undefined) return request;
  const resources = withWorkload(request.linux.resources, workload, request.metadata.name, pod);
  return { ...request, linux: { ...request.linux, resources } };
}

/** The record before anything was acquired. */
function describe(
  drivers: ContainerDrivers,
  sandbox: Sandbox,
  request: ContainerRequest,
  image: ImageInUse,
  volumes: VolumeImages,
): Container {
  const id = newId();
  return {
    version: 1,
    id,
    sandboxId: sandbox.id,
    request,
    runtimeHandler: drivers.runtimes.forPlatform(handlerOf(sandbox), image.config).handler,
    createdAtNs: nowNs(),
    bootId: drivers.settings.bootId,
    state: { kind: "creating" },
    imageId: image.id,
    imageRef: image.ref,
    volumeImageIds: volumeImageIds(volumes),
    logPath: logPathOf(drivers, sandbox, request, id),
    mounts: [],
    user: { uid: 0, gid: 0, supplementalGroups: [] },
    stopSignal: request.stopSignal || image.config.config?.StopSignal || "SIGTERM",
    resources: request.linux.resources,
    cgroupsPath: cgroupsPath(drivers.cgroups.driver, sandbox.cgroupParent, id),
    privileged: request.linux.securityContext.privileged,
  };
}

/** A sandbox that begins to stop after this check finds the container's record and stops it too. */
function refuseUnlessReady(drivers: ContainerDrivers, sandbox: Sandbox): void {
  const state = drivers.sandboxes.index.current(sandbox.id)?.state.kind ?? "removed";
  if (state !== "ready") {
    throw new DomainError(
      "failed-precondition",
      `pod sandbox ${sandbox.id} is ${state}: no container can be made in it`,
    );
  }
}

function logPathOf(drivers: ContainerDrivers, sandbox: Sandbox, request: ContainerRequest, id: string): string {
  const directory = sandbox.request.logDirectory || path.join(drivers.settings.defaultLogDirectory, sandbox.id);
  const name = request.logPath || `${id}.log`;
  const joined = path.join(directory, name);
  if (joined.startsWith(`${path.normalize(directory)}${directory.endsWith("/") ? "" : "/"}`)) return joined;
  throw new DomainError(
    "invalid-argument",
    `log_path ${JSON.stringify(name)} leads out of the log directory ${directory}`,
  );
}

function mountsOf(
  volumes: readonly { request: ContainerRequest["mounts"][number]; source: { path: string } }[],
  images: VolumeImages,
): ContainerMount[] {
  return volumes.map(({ request, source }, index) => ({
    containerPath: request.containerPath,
    hostPath: request.image === undefined ? request.hostPath : source.path,
    readonly: request.readonly,
    recursiveReadOnly: request.recursiveReadOnly,
    selinuxRelabel: request.selinuxRelabel,
    propagation: request.propagation,
    uidMappings: request.uidMappings,
    gidMappings: request.gidMappings,
    ...(request.image === undefined ? {} : { image: images[index]?.id ?? request.image.image }),
    ...(request.imageSubPath === "" ? {} : { imageSubPath: request.imageSubPath }),
  }));
}
