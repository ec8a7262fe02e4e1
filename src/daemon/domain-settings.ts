import type { Config, Paths } from "#config/index.ts";
import type { ContainerSettings } from "#domain/container/container-drivers.ts";
import { workloadOf } from "#domain/container/workload.ts";
import type { PullSettings } from "#domain/image/pull-image.ts";
import type { SandboxSettings } from "#domain/sandbox/sandbox-drivers.ts";
import { DomainError } from "#errors/domain-error.ts";
import type { Drivers } from "./drivers.ts";
import type { Handlers } from "./runtime-handlers.ts";
import { specPolicies } from "./spec-policy.ts";
import { timezoneFile } from "./timezone.ts";

// What the domain depends on of the configuration and of the machine.

export function pullSettings({ berth, image }: Config): PullSettings {
  return {
    maxParallelLayerDownloads: berth.maxParallelLayerDownloads,
    platform: platformOf(berth.imagePlatform),
    progressTimeoutMs: image.pullProgressTimeoutMs,
  };
}

function platformOf(text: string) {
  const [os = "", architecture = "", variant] = text.split("/");
  return text === "" ? undefined : { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

export function sandboxSettings({ runtime }: Config, drivers: Drivers): SandboxSettings {
  return {
    bootId: drivers.bootId,
    nodeName: drivers.nodeName,
    get defaultHandler() {
      return drivers.handlers.runtimes.defaultHandler;
    },
    allowedAnnotations(handler, annotations) {
      const { allowedAnnotations } = drivers.handlers.settings(drivers.handlers.runtimes.get(handler).handler);
      return [
        ...allowedAnnotations,
        ...(workloadOf(runtime.workloads.values(), annotations)?.allowedAnnotations ?? []),
      ];
    },
    checkHandler: (handler) => drivers.handlers.check(handler),
    checkUserNamespaces(handler) {
      const { handler: name } = drivers.handlers.runtimes.get(handler);
      if (drivers.handlers.features.some((one) => one.name === name && one.userNamespaces)) return;
      throw new DomainError(
        "failed-precondition",
        `runtime handler "${name}" cannot run pods in user namespaces: its runtime has no idmapped mounts`,
      );
    },
    defaultSysctls: Object.fromEntries(
      runtime.defaultSysctls.map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
    ),
    cgroupManager: runtime.cgroupManager,
    networkReadyTimeoutMs: 5000,
    hostPortsEnabled: !runtime.disableHostportMapping,
    selinux: drivers.security.facts.selinux,
  };
}

/** What a reload may change is read from `config` each time. */
export function containerSettings(
  config: () => Config,
  paths: Paths,
  drivers: Pick<Drivers, "bootId" | "security"> & { handlers: Handlers },
): ContainerSettings {
  const { runtime, image } = config();
  const { handlers } = drivers;
  return {
    bootId: drivers.bootId,
    noPivot: runtime.noPivot,
    createTimeoutMs: (handler) => handlers.settings(handler).containerCreateTimeoutSeconds * 1000,
    defaultLogDirectory: paths.podLogs,
    get pauseImage() {
      return config().image.pauseImage;
    },
    get pauseCommand() {
      const { pauseCommand } = config().image;
      return pauseCommand === "" ? [] : pauseCommand.split(/\s+/);
    },
    declaredVolumes: image.imageVolumes,
    criuEnabled: runtime.enableCriuSupport,
    infraCpuset: runtime.infraCtrCpuset,
    dropInfra: runtime.dropInfraCtr,
    timezoneFile: timezoneFile(runtime.timezone),
    allowedDevices: runtime.allowedDevices,
    workloads: [...runtime.workloads.values()],
    specPolicy: specPolicies(config, paths, handlers, drivers.security),
    isSandboxed: (handler) => handlers.isSandboxed(handler),
  };
}
