import { createHash } from "node:crypto";
import { hostname } from "node:os";
import type { Config, Paths } from "#config/index.ts";
import type { Container } from "#domain/container/container.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import type { Network } from "#drivers/cni/index.ts";
import type { Cgroups } from "#drivers/cgroup/index.ts";
import { hookDirectories } from "#drivers/hooks/hook-directories.ts";
import type { Hooks } from "#drivers/hooks/index.ts";
import { mountsConf } from "#drivers/default-mounts/mounts-conf.ts";
import type { DefaultMounts } from "#drivers/default-mounts/index.ts";
import { createHostPorts } from "#drivers/hostport/host-ports.ts";
import type { HostPorts } from "#drivers/hostport/index.ts";
import type { ImageVolumes } from "#drivers/image-volumes/index.ts";
import type { MountViews } from "#drivers/mount-views/index.ts";
import { mountedVolumes } from "#drivers/image-volumes/mounted-volumes.ts";
import { checkpointFiles } from "#drivers/checkpoints/checkpoint-files.ts";
import type { CheckpointFiles } from "#drivers/checkpoints/index.ts";
import type { Monitor } from "#drivers/monitor/index.ts";
import type { Namespaces } from "#drivers/namespaces/index.ts";
import { pinnedNamespaces } from "#drivers/namespaces/pinned-namespaces.ts";
import { hostProcesses } from "#drivers/processes/host-processes.ts";
import type { Processes } from "#drivers/processes/index.ts";
import type { Records } from "#drivers/records/index.ts";
import type { NamespacedAuth, RegistryClient } from "#drivers/registry/index.ts";
import { bundlesIn } from "#drivers/rootfs/bundles.ts";
import type { Bundles } from "#drivers/rootfs/index.ts";
import { sandboxDirectories } from "#drivers/sandbox-files/sandbox-directory.ts";
import type { SandboxFileStore } from "#drivers/sandbox-files/index.ts";
import type { Security } from "#drivers/security/index.ts";
import type { SignaturePolicies } from "#drivers/signature-policy/index.ts";
import { descriptorStreams } from "#drivers/streams/descriptor-streams.ts";
import type { Streams } from "#drivers/streams/index.ts";
import type { Storage } from "#drivers/storage/index.ts";
import { KernelThread } from "#kernel/kernel-thread.ts";
import { bootId } from "#kernel/process-identity.ts";
import { smallFilesIn } from "#kernel/small-files.ts";
import { run } from "#kernel/spawn.ts";
import { settleAll } from "#lib/settle.ts";
import type { Logger } from "#observability/logger.ts";
import {
  configuredSignaturePolicies,
  openCgroups,
  openMonitor,
  openMountViewsOf,
  openNamespacedAuth,
  openNetwork,
  openRegistryClient,
  openSecurity,
  openStorage,
  reloadOnChange,
} from "./configured-drivers.ts";
import { openRecords } from "./entity-records.ts";
import { CurrentHandlers } from "./current-handlers.ts";
import { findHandlers } from "./runtime-handlers.ts";

/** Everything outside of the process, each behind its contract. */
export interface Drivers {
  thread: KernelThread;
  handlers: CurrentHandlers;
  monitor: Monitor;
  processes: Processes;
  cgroups: Cgroups;
  namespaces: Namespaces;
  files: SandboxFileStore;
  network: Network;
  hostPorts: HostPorts;
  security: Security;
  hooks: Hooks;
  defaultMounts: DefaultMounts;
  storage: Storage;
  registry: RegistryClient;
  namespacedAuth: NamespacedAuth;
  signaturePolicies: SignaturePolicies;
  imageVolumes: ImageVolumes;
  mountViews: MountViews;
  checkpoints: CheckpointFiles;
  bundles: Bundles;
  streams: Streams;
  sandboxRecords: Records<Sandbox>;
  containerRecords: Records<Container>;
  bootId: string;
  nodeName: string;
}

/**
 * Builds the drivers; `undo` closes them in reverse order.
 * @throws DomainError failed-precondition when the node lacks something that the configuration asks for
 */
export async function buildDrivers(
  config: () => Config,
  paths: Paths,
  logger: Logger,
  undo: AsyncDisposableStack,
): Promise<Drivers> {
  const { berth, runtime, crio } = config();
  const handlers = new CurrentHandlers(await findHandlers(config(), logger));
  const thread = new KernelThread();
  undo.defer(() => thread.close());
  // Each is undone from when it is open, so that none is left when another cannot be opened.
  const opened = async <T extends { close(): void | Promise<void> }>(opening: Promise<T>): Promise<T> => {
    const driver = await opening;
    undo.defer(() => driver.close());
    return driver;
  };
  const [mountViews, monitor, network, storage, registry, cgroups, security, namespacedAuth] = await settleAll([
    opened(openMountViewsOf(paths, handlers, { thread, logger })),
    opened(openMonitor(config(), paths, handlers, logger)),
    opened(openNetwork(config(), paths, logger)),
    opened(openStorage(config(), paths, logger)),
    opened(openRegistryClient(config(), logger)),
    opened(openCgroups(config(), handlers)),
    openSecurity(config, logger),
    openNamespacedAuth(config(), logger),
  ]);
  if (config().image.autoReloadRegistries) undo.use(reloadOnChange(berth.registriesConfDir, registry, logger));
  const hooks = hookDirectories(runtime.hooksDir, logger);
  undo.defer(() => hooks.close());
  const runFiles = smallFilesIn(paths.runroot);
  return {
    thread,
    handlers,
    monitor,
    network,
    security,
    hooks,
    defaultMounts: mountsConf(mountsFiles(runtime.defaultMountsFile), logger),
    storage,
    registry,
    namespacedAuth,
    signaturePolicies: configuredSignaturePolicies(config),
    imageVolumes: mountedVolumes(paths.imageVolumes),
    checkpoints: checkpointFiles(paths.checkpoints, handlers.monitorOf(handlers.runtimes.defaultHandler).env["PATH"]),
    cgroups,
    processes: hostProcesses(thread, logger),
    namespaces: pinnedNamespaces(paths.namespaces, thread),
    files: sandboxDirectories(
      { directory: paths.sandboxRun, shmDirectory: paths.sandboxShm, hostResolvConf: "/etc/resolv.conf" },
      runFiles,
    ),
    mountViews,
    hostPorts: createHostPorts({ owner: ownerIn(paths.runroot), run, logger }),
    bundles: bundlesIn(paths.bundles, runFiles),
    streams: descriptorStreams(paths.execs, thread),
    ...openRecords(paths, undo),
    bootId: bootId(),
    nodeName: hostname() || crio.root,
  };
}

/** The machine's own file, then the distribution's, unless one is configured. */
function mountsFiles(configured: string): string[] {
  return configured === "" ? ["/etc/containers/mounts.conf", "/usr/share/containers/mounts.conf"] : [configured];
}

/** Tells this daemon from others of the machine, in what all of them see. */
function ownerIn(runroot: string): string {
  return createHash("sha256").update(runroot).digest("hex").slice(0, 8);
}
