import type {
  DnsConfig,
  LinuxSandboxRequest,
  SandboxMetadata,
  SandboxPortMapping,
  SandboxRequest,
  SandboxSecurityContext,
} from "#domain/sandbox/request.ts";
import {
  LinuxSandboxSecurityContextSchema,
  type DNSConfig,
  type LinuxPodSandboxConfig,
  type LinuxSandboxSecurityContext,
  type PodSandboxConfig,
  type PodSandboxMetadata,
  type PortMapping,
} from "../gen/runtime/v1/api_pb.ts";
import { create } from "@bufbuild/protobuf";
import { protocols } from "./enums.ts";
import { hostnameText, oneLine, refuseNul, sysctlName, word } from "./impossible-characters.ts";
import { absolutePath, invalid, nonEmpty, required } from "./required.ts";
import { optionalResourcesFromWire } from "./resources.ts";
import { profileFromWire, sharedContextFromWire } from "./security.ts";

/**
 * PodSandboxConfig; `field` is where it was, for errors.
 * @throws DomainError invalid-argument naming the field that is missing or wrong
 */
export function sandboxRequestFromWire(config: PodSandboxConfig | undefined, field: string): SandboxRequest {
  const { metadata, dnsConfig, ...rest } = required(config, field);
  refuseNul(config, field);
  return {
    metadata: metadataFromWire(required(metadata, `${field}.metadata`), `${field}.metadata`),
    hostname: hostnameText(rest.hostname, `${field}.hostname`),
    logDirectory: rest.logDirectory && absolutePath(rest.logDirectory, `${field}.log_directory`),
    dnsConfig: dnsConfig && dnsFromWire(dnsConfig, `${field}.dns_config`),
    portMappings: rest.portMappings.map((one, index) => portMapping(one, `${field}.port_mappings[${index}]`)),
    labels: rest.labels,
    annotations: rest.annotations,
    linux: linuxFromWire(rest.linux, `${field}.linux`),
  };
}

function metadataFromWire({ name, uid, namespace, attempt }: PodSandboxMetadata, field: string): SandboxMetadata {
  return {
    name: oneLine(nonEmpty(name, `${field}.name`), `${field}.name`),
    uid: oneLine(nonEmpty(uid, `${field}.uid`), `${field}.uid`),
    namespace: oneLine(nonEmpty(namespace, `${field}.namespace`), `${field}.namespace`),
    attempt,
  };
}

/** One that says nothing counts as not given. */
function dnsFromWire({ servers, searches, options }: DNSConfig, field: string): DnsConfig | undefined {
  const isEmpty = servers.length + searches.length + options.length === 0;
  const words = (values: string[], name: string, checked = word): string[] =>
    values.map((value, index) => checked(value, `${field}.${name}[${index}]`));
  return isEmpty
    ? undefined
    : {
        servers: words(servers, "servers"),
        searches: words(searches, "searches"),
        // Kubernetes lets one entry be several: they are on one line all the same.
        options: words(options, "options", oneLine),
      };
}

/** The plugin for host ports refuses port 0 when a pod is made, and when it is removed, so that no plugin after it is asked. */
function portMapping(mapping: PortMapping, field: string): SandboxPortMapping {
  if (mapping.hostPort > 0 && mapping.containerPort === 0)
    throw invalid(`${field}.container_port`, `is missing, for port ${mapping.hostPort} of the host`);
  return {
    protocol: protocols.toDomain(mapping.protocol, `${field}.protocol`),
    containerPort: port(mapping.containerPort, `${field}.container_port`),
    hostPort: port(mapping.hostPort, `${field}.host_port`),
    hostIp: mapping.hostIp,
  };
}

function port(value: number, field: string): number {
  if (value < 0 || value > 65_535) throw invalid(field, `is not a port: ${value}`);
  return value;
}

function linuxFromWire(linux: LinuxPodSandboxConfig | undefined, field: string): LinuxSandboxRequest {
  for (const name of Object.keys(linux?.sysctls ?? {})) sysctlName(name, `${field}.sysctls`);
  return {
    cgroupParent: oneLine(linux?.cgroupParent ?? "", `${field}.cgroup_parent`),
    securityContext: securityContext(
      linux?.securityContext ?? create(LinuxSandboxSecurityContextSchema),
      `${field}.security_context`,
    ),
    sysctls: linux?.sysctls ?? {},
    overhead: optionalResourcesFromWire(linux?.overhead, `${field}.overhead`),
    resources: optionalResourcesFromWire(linux?.resources, `${field}.resources`),
  };
}

/**
 * The CRI asks for an error where run_as_group comes without run_as_user. The kubelet sends it so for every pod that sets `runAsGroup`
 * alone, which would not run.
 */
function securityContext(context: LinuxSandboxSecurityContext, field: string): SandboxSecurityContext {
  return {
    ...sharedContextFromWire(context, field),
    apparmor: profileFromWire(context.apparmor, `${field}.apparmor`, "", ""),
  };
}
