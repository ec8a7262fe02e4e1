import path from "node:path";
import type { Config, Paths } from "#config/index.ts";
import { cgroupfsCgroups } from "#drivers/cgroup/cgroupfs.ts";
import type { Cgroups } from "#drivers/cgroup/index.ts";
import { systemdCgroups } from "#drivers/cgroup/systemd.ts";
import { createNetwork } from "#drivers/cni/cni-network.ts";
import type { Network } from "#drivers/cni/index.ts";
import type { MountViews } from "#drivers/mount-views/index.ts";
import { hostViews, openMountViews } from "#drivers/mount-views/kernel-mount-views.ts";
import { createConmon } from "#drivers/monitor/conmon.ts";
import type { Monitor } from "#drivers/monitor/index.ts";
import { type ClosableRegistryClient, createRegistryClient } from "#drivers/registry/client.ts";
import { namespacedAuth } from "#drivers/registry/auth/namespaced-auth.ts";
import type { NamespacedAuth } from "#drivers/registry/index.ts";
import { signaturePolicies } from "#drivers/signature-policy/policy-files.ts";
import type { SignaturePolicies } from "#drivers/signature-policy/index.ts";
import { watchConfiguration } from "#drivers/registry/names/conf-watch.ts";
import { createSecurity } from "#drivers/security/create-security.ts";
import type { Security } from "#drivers/security/index.ts";
import { createStorage } from "#drivers/storage/disk-storage.ts";
import type { Storage } from "#drivers/storage/index.ts";
import { DomainError } from "#errors/domain-error.ts";
import type { KernelThread } from "#kernel/kernel-thread.ts";
import { smallFilesIn } from "#kernel/small-files.ts";
import { run } from "#kernel/spawn.ts";
import { fileExists } from "#lib/file-exists.ts";
import type { Logger } from "#observability/logger.ts";
import type { Handlers } from "./runtime-handlers.ts";

// Drivers as the configuration wants them. Those that can be closed are undone by that.

export function openMonitor(config: Config, paths: Paths, handlers: Handlers, logger: Logger): Promise<Monitor> {
  const { logSizeMaxBytes, logToJournald } = config.runtime;
  return createConmon(
    {
      program: (handler) => handlers.monitorOf(handler),
      bundleFiles: smallFilesIn(paths.runroot),
      exitsDirectory: paths.exits,
      attachDirectory: paths.attachSockets,
      logSizeMaxBytes: logSizeMaxBytes > 0 ? logSizeMaxBytes : undefined,
      logToJournald,
    },
    logger,
  );
}

export function openSecurity(config: () => Config, logger: Logger): Promise<Security> {
  const { selinux, bindMountPrefix, absentMountSourcesToReject } = config().runtime;
  const cdiSpecDirs = (): readonly string[] => config().runtime.cdiSpecDirs;
  return createSecurity({ selinux, cdiSpecDirs, bindMountPrefix, absentMountSourcesToReject }, { run, logger });
}

export function openStorage({ berth }: Config, paths: Paths, logger: Logger): Promise<Storage> {
  return createStorage(
    {
      imageRoot: paths.imageRoot,
      containerRoot: paths.containerLayers,
      runRoot: paths.rootfsMounts,
      limits: { maxUnpackedBytes: berth.maxUnpackedLayerBytes },
      workers: berth.maxParallelUnpacks,
      retries: berth.pullRetries,
    },
    logger,
  );
}

/**
 * What is mounted for pods is mounted in these directories, once this is open, but for image volumes, which few have. Under SELinux monitors are in a domain
 * that may execute runtimes and nothing else, in Debian's policy: runtimes are called without help there.
 */
export async function openMountViewsOf(
  paths: Paths,
  handlers: Handlers,
  { thread, logger }: { thread: KernelThread; logger: Logger },
): Promise<MountViews> {
  if (await fileExists("/sys/fs/selinux/enforce")) return hostViews;
  const ofBerth = { mode: 0o711, isPublic: false, stays: false };
  const pins = (kind: string): string => path.join(paths.namespaces, `${kind}ns`);
  const directories = [
    ...[paths.rootfsMounts, paths.sandboxShm].map((one) => ({ ...ofBerth, path: one })),
    ...["ipc", "uts", "user"].map((kind) => ({ ...ofBerth, path: pins(kind), mode: 0o755 })),
    { path: pins("net"), mode: 0o755, isPublic: true, stays: !pins("net").startsWith(`${paths.runroot}/`) },
  ];
  const isNarrowed = (handler: string): boolean => !handlers.isSandboxed(handler);
  return openMountViews({ directories, runroot: paths.runroot, isNarrowed }, thread, logger);
}

export function openNetwork(config: Config, paths: Paths, logger: Logger): Promise<Network> {
  const { networkDir, pluginDirs, pluginDir, cniDefaultNetwork, cniStatusGracePeriodMs } = config.network;
  return createNetwork(
    {
      networkDir,
      pluginDirs: pluginDir === "" ? pluginDirs : [pluginDir, ...pluginDirs],
      cniDefaultNetwork,
      cacheDir: paths.cniCache,
      statusGracePeriodMs: cniStatusGracePeriodMs,
    },
    { run, logger },
  );
}

export function openRegistryClient(config: Config, logger: Logger): Promise<ClosableRegistryClient> {
  const { berth, image } = config;
  const options = {
    registriesConfFile: berth.registriesConf,
    registriesConfDirs: [berth.registriesConfDir],
    certsDirs: berth.registryCertsDirs,
    insecureRegistries: image.insecureRegistries,
    shortNameMode: image.shortNameMode,
    connectTimeoutMs: berth.registryTimeoutMs,
    stallTimeoutMs: berth.registryTimeoutMs,
    ...(image.globalAuthFile === "" ? {} : { globalAuthFile: image.globalAuthFile }),
  };
  return createRegistryClient(options, logger);
}

/** Credential files per namespace, without those that an earlier daemon has used and left. */
export async function openNamespacedAuth({ image }: Config, logger: Logger): Promise<NamespacedAuth> {
  const auth = namespacedAuth(image.namespacedAuthDir);
  // No reason not to serve: whoever may read there could have read the files before.
  await auth
    .sweep()
    .catch((error: unknown) => logger.warn("used credential files of an earlier daemon cannot be removed", { error }));
  return auth;
}

/** `signature_policy` and `signature_policy_dir`. */
export function configuredSignaturePolicies(config: () => Config): SignaturePolicies {
  return signaturePolicies({
    file: () => config().image.signaturePolicy,
    defaultFile: "/etc/containers/policy.json",
    directory: config().image.signaturePolicyDir,
    registriesDirectory: "/etc/containers/registries.d",
  });
}

/** `auto_reload_registries`. A file that is not valid changes nothing. */
export function reloadOnChange(directory: string, registry: ClosableRegistryClient, logger: Logger): Disposable {
  const problem = (error: unknown): void =>
    logger.warn("changes of registry configuration are not taken over", { directory, error });
  return watchConfiguration(
    directory,
    () =>
      void registry.reload().then(() => logger.info("registry configuration was read again", { directory }), problem),
    problem,
  );
}

export async function openCgroups(config: Config, handlers: Handlers): Promise<Cgroups> {
  const monitorCgroup = (handler: string): string => handlers.settings(handler).monitorCgroup;
  if (config.runtime.cgroupManager === "cgroupfs") return cgroupfsCgroups({ monitorCgroup });
  const isSystemd = await fileExists("/run/systemd/system");
  if (isSystemd) return systemdCgroups({ monitorCgroup });
  throw new DomainError(
    "failed-precondition",
    'cgroup_manager = "systemd", but systemd does not run on this machine; set it to "cgroupfs", here and for the kubelet',
  );
}
