import path from "node:path";
import { create } from "@bufbuild/protobuf";
import type {
  ContainerMetadata,
  ContainerRequest,
  ContainerSecurityContext,
  DeviceRequest,
  EnvVariable,
} from "#domain/container/request.ts";
import {
  LinuxContainerSecurityContextSchema,
  type ContainerConfig,
  type ContainerMetadata as WireMetadata,
  type Device,
  type KeyValue,
  type LinuxContainerSecurityContext,
} from "../gen/runtime/v1/api_pb.ts";
import { imageSpecFromWire } from "./image-spec.ts";
import { oneLine, refuseNul } from "./impossible-characters.ts";
import { mountFromWire } from "./mount.ts";
import { absolutePath, invalid, nonEmpty, required } from "./required.ts";
import { optionalResourcesFromWire } from "./resources.ts";
import { profileFromWire, sharedContextFromWire } from "./security.ts";
import { signalNameFromWire } from "./signals.ts";

/**
 * ContainerConfig of CreateContainer.
 * @throws DomainError invalid-argument naming the field that is missing or wrong
 */
export function containerRequestFromWire(given: ContainerConfig | undefined): ContainerRequest {
  const config = required(given, "config");
  refuseNul(config, "config");
  return {
    metadata: metadataFromWire(required(config.metadata, "config.metadata")),
    image: imageSpecFromWire(config.image, "config.image"),
    command: config.command,
    args: config.args,
    workingDir: config.workingDir,
    env: config.envs.map(envVariable),
    mounts: config.mounts.map((mount, index) => mountFromWire(mount, `config.mounts[${index}]`)),
    devices: config.devices.map((device, index) => deviceFromWire(device, `config.devices[${index}]`)),
    cdiDevices: config.CDIDevices.map(({ name }, index) => nonEmpty(name, `config.CDI_devices[${index}].name`)),
    labels: config.labels,
    annotations: config.annotations,
    logPath: logPathFromWire(config.logPath),
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
    tty: config.tty,
    stopSignal: signalNameFromWire(config.stopSignal, "config.stop_signal"),
    linux: {
      resources: optionalResourcesFromWire(config.linux?.resources, "config.linux.resources"),
      securityContext: securityContext(
        config.linux?.securityContext ?? create(LinuxContainerSecurityContextSchema),
        "config.linux.security_context",
      ),
    },
  };
}

function metadataFromWire({ name, attempt }: WireMetadata): ContainerMetadata {
  return { name: oneLine(nonEmpty(name, "config.metadata.name"), "config.metadata.name"), attempt };
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Values are bytes on the wire; config.json, like every other JSON, can hold only text. */
function envVariable({ key, value }: KeyValue, index: number): EnvVariable {
  const field = `config.envs[${index}]`;
  if (nonEmpty(key, `${field}.key`).includes("=")) throw invalid(`${field}.key`, `has a "=": ${JSON.stringify(key)}`);
  if (value.includes(0)) throw invalid(`${field}.value`, `of ${key} contains a NUL character`);
  try {
    return { name: key, value: utf8.decode(value) };
  } catch {
    throw invalid(`${field}.value`, `of ${key} is not valid UTF-8`);
  }
}

function deviceFromWire(device: Device, field: string): DeviceRequest {
  const hostPath = absolutePath(device.hostPath, `${field}.host_path`);
  return { hostPath, containerPath: device.containerPath || hostPath, permissions: device.permissions };
}

/** The log must not end up outside of the pod's directory. */
function logPathFromWire(logPath: string): string {
  const normal = path.posix.normalize(logPath);
  if (normal === ".." || normal.startsWith("../")) {
    throw invalid("config.log_path", `leads out of the pod's log directory: ${JSON.stringify(logPath)}`);
  }
  return logPath;
}

function securityContext(context: LinuxContainerSecurityContext, field: string): ContainerSecurityContext {
  const { capabilities, apparmor, apparmorProfile } = context;
  checkUser(context, field);
  return {
    ...sharedContextFromWire(context, field),
    capabilities: {
      add: capabilities?.addCapabilities ?? [],
      drop: capabilities?.dropCapabilities ?? [],
      addAmbient: capabilities?.addAmbientCapabilities ?? [],
    },
    runAsUsername: context.runAsUsername,
    noNewPrivs: context.noNewPrivs,
    maskedPaths: context.maskedPaths,
    readonlyPaths: context.readonlyPaths,
    apparmor: profileFromWire(apparmor, `${field}.apparmor`, apparmorProfile, `${field}.apparmor_profile`),
  };
}

function checkUser({ runAsUser, runAsGroup, runAsUsername }: LinuxContainerSecurityContext, field: string): void {
  if (runAsUser !== undefined && runAsUsername !== "") {
    throw invalid(`${field}.run_as_username`, "is given besides run_as_user");
  }
  // CRI: "run_as_group should only be specified when run_as_user or run_as_username is specified; otherwise, the runtime
  // MUST error."
  if (runAsGroup !== undefined && runAsUser === undefined && runAsUsername === "") {
    throw invalid(`${field}.run_as_group`, "is given without run_as_user or run_as_username");
  }
}
