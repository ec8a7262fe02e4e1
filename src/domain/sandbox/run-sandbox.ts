import { DomainError } from "#errors/domain-error.ts";
import type { NamespaceKind } from "#drivers/namespaces/index.ts";
import { nowNs } from "#lib/clock.ts";
import { newId } from "#lib/ids.ts";
import { settleAll } from "#lib/settle.ts";
import { allowedAnnotations } from "#spec/allowed-annotations.ts";
import { requestAnnotation, requestedBy } from "#spec/annotations.ts";
import { checkedCgroupParent } from "./cgroups-path.ts";
import { connectSandbox, disconnectSandbox } from "./sandbox-network.ts";
import { checkLabels, podLabels } from "./kubernetes-labels.ts";
import type { SandboxRequest } from "./request.ts";
import { hostsFile, resolvConf, sandboxHostname, shmSizeBytes } from "./sandbox-files-content.ts";
import type { SandboxDrivers } from "./sandbox-drivers.ts";
import { isHostNetwork } from "./sandbox.ts";
import type { Sandbox, SandboxFiles } from "./sandbox.ts";
import { requestedUserNamespace } from "./user-namespace.ts";
import { mountLabel } from "./selinux-labels.ts";
import type { StandbyNetwork } from "./standby-networks.ts";
import { isNetworkSysctl, sandboxSysctls } from "./sysctls.ts";

const hostHosts = "/etc/hosts";

/**
 * Makes a pod sandbox and gives it back ready. Independent steps go on at the same time; when one fails the others are waited
 * for and everything is undone, so that a failed call leaves nothing.
 * @throws DomainError
 */
export async function runSandbox(
  drivers: SandboxDrivers,
  request: SandboxRequest,
  runtimeHandler: string,
): Promise<Sandbox> {
  const { store, logger } = drivers;
  drivers.settings.checkHandler(runtimeHandler);
  checkLabels(request.labels);
  if (requestedUserNamespace(request) !== undefined) drivers.settings.checkUserNamespaces(runtimeHandler);
  if (!isHostNetwork(request)) await networkReady(drivers, request);

  await using undo = new AsyncDisposableStack();
  const standby = drivers.standby.take(request);
  if (standby !== undefined) undo.defer(() => drivers.standby.discard(standby));
  const draft = await store.put(await describe(drivers, request, runtimeHandler, standby?.id ?? newId()));
  undo.defer(() => store.delete(draft.id));
  if (draft.selinuxLevel !== "") undo.defer(() => drivers.selinuxLevels.release(draft.selinuxLevel));

  const [files, connected] = await settleAll([
    makeFiles(drivers, draft, undo),
    makeNamespaces(drivers, draft, standby, undo).then((sandbox) => connect(drivers, sandbox, standby, undo)),
    makeCgroupParent(drivers, draft, undo),
  ]);
  const hosts = await makeHosts(drivers, connected);
  const complete: Sandbox = { ...connected, files: { ...files, hosts } };
  const running = drivers.infra.isNeeded(complete) ? await startInfra(drivers, complete, undo) : complete;
  const ready = await store.transition(running, { kind: "ready" });
  undo.move();
  await makeOwnGroup(drivers, ready);
  logger.info("pod sandbox is ready", {
    sandbox: ready.id,
    pod: `${request.metadata.namespace}/${request.metadata.name}`,
    ips: ready.ips,
  });
  return ready;
}

async function networkReady(drivers: SandboxDrivers, request: SandboxRequest): Promise<void> {
  if (drivers.network.status().ready) return;
  const { metadata } = request;
  try {
    await drivers.network.ready(AbortSignal.timeout(drivers.settings.networkReadyTimeoutMs));
  } catch (error) {
    const { reason, message } = drivers.network.status();
    throw new DomainError(
      "unavailable",
      `pod ${metadata.namespace}/${metadata.name} cannot get a network: ${reason}: ${message}`,
      { cause: error },
    );
  }
}

/** The record as it is before anything was acquired; whatever is in it says what has to be undone after a crash. */
async function describe(
  drivers: SandboxDrivers,
  request: SandboxRequest,
  runtimeHandler: string,
  id: string,
): Promise<Sandbox> {
  const { settings } = drivers;
  const { cgroupParent } = request.linux;
  checkedCgroupParent(settings.cgroupManager, cgroupParent);
  const madeCgroup = cgroupParent === "" ? undefined : await drivers.cgroups.missingParent(cgroupParent);
  return {
    version: 1,
    id,
    request: { ...request, labels: podLabels(request.labels, request.metadata) },
    runtimeHandler,
    createdAtNs: nowNs(),
    bootId: settings.bootId,
    state: { kind: "creating" },
    hostname: sandboxHostname(request.hostname, id, {
      hostNetwork: isHostNetwork(request),
      nodeName: settings.nodeName,
    }),
    namespaces: {},
    files: { resolvConf: "", hostname: "" },
    cgroupParent,
    ...(madeCgroup === undefined ? {} : { madeCgroup }),
    ips: [],
    selinuxLevel: settings.selinux.enabled ? drivers.selinuxLevels.allocate() : "",
  };
}

async function makeFiles(drivers: SandboxDrivers, sandbox: Sandbox, undo: AsyncDisposableStack): Promise<SandboxFiles> {
  const { request, id, runtimeHandler } = sandbox;
  const allowed = drivers.settings.allowedAnnotations(runtimeHandler, request.annotations);
  const annotations = allowedAnnotations(request.annotations, allowed);
  undo.defer(() => drivers.files.remove(id));
  return drivers.files.create(id, {
    resolvConf: resolvConf(request.dnsConfig),
    hostname: sandbox.hostname,
    shmSizeBytes: usesHost(request, "ipc")
      ? undefined
      : shmSizeBytes(requestedBy(annotations, requestAnnotation.shmSize)),
    mountLabel: podMountLabel(drivers, sandbox),
  });
}

function podMountLabel(drivers: SandboxDrivers, sandbox: Sandbox): string {
  return mountLabel(drivers.settings.selinux, sandbox.request.linux.securityContext.selinux, sandbox.selinuxLevel);
}

async function makeNamespaces(
  drivers: SandboxDrivers,
  sandbox: Sandbox,
  standby: StandbyNetwork | undefined,
  undo: AsyncDisposableStack,
): Promise<Sandbox> {
  const { request, id, hostname } = sandbox;
  const kinds: NamespaceKind[] = [];
  if (!usesHost(request, "network") && standby === undefined) kinds.push("net");
  // The host's network comes with the host's name; everything else gets names and queues of its own.
  if (!usesHost(request, "network")) kinds.push("uts");
  if (!usesHost(request, "ipc")) kinds.push("ipc");
  const userns = requestedUserNamespace(request);
  if (userns !== undefined) kinds.push("user");
  const { sysctls, warnings } = sandboxSysctls({
    defaults: drivers.settings.defaultSysctls,
    requested: request.linux.sysctls,
    options: request.linux.securityContext.namespaceOptions,
  });
  for (const warning of warnings) drivers.logger.warn(warning, { sandbox: id });
  if (kinds.length === 0) return sandbox;
  undo.defer(() => drivers.namespaces.unpin(id));
  const pins = await drivers.namespaces.pin(id, kinds, {
    hostname,
    // A standby has those of its network, and this thread would set the host's.
    sysctls: standby === undefined ? sysctls : withoutNetwork(sysctls),
    ...(userns === undefined ? {} : { idMaps: userns }),
  });
  return { ...sandbox, namespaces: standby === undefined ? pins : { ...pins, net: standby.netns } };
}

function withoutNetwork(sysctls: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(sysctls).filter(([name]) => !isNetworkSysctl(name)));
}

function usesHost(request: SandboxRequest, kind: "network" | "ipc"): boolean {
  return request.linux.securityContext.namespaceOptions[kind] === "node";
}

async function connect(
  drivers: SandboxDrivers,
  sandbox: Sandbox,
  standby: StandbyNetwork | undefined,
  undo: AsyncDisposableStack,
): Promise<Sandbox> {
  if (sandbox.namespaces.net === undefined) return sandbox;
  undo.defer(() => disconnectSandbox(drivers, sandbox));
  return { ...sandbox, ips: await connectSandbox(drivers, sandbox, standby) };
}

async function makeCgroupParent(drivers: SandboxDrivers, sandbox: Sandbox, undo: AsyncDisposableStack): Promise<void> {
  const { madeCgroup } = sandbox;
  if (madeCgroup === undefined) return;
  undo.defer(() => drivers.cgroups.removeParent(sandbox.cgroupParent, madeCgroup));
  await drivers.cgroups.createParent(sandbox.cgroupParent);
}

/** Not before the pod is ready: who notices the group asks for the pod at once. A pod is no worse for want of it. */
async function makeOwnGroup(drivers: SandboxDrivers, sandbox: Sandbox): Promise<void> {
  if (sandbox.infra !== undefined || sandbox.cgroupParent === "") return;
  await drivers.cgroups.makePodGroup(sandbox.cgroupParent, sandbox.id).catch((error: unknown) =>
    drivers.logger.warn("a pod's own cgroup cannot be made: cAdvisor will not see the pod's network", {
      sandbox: sandbox.id,
      error,
    }),
  );
}

async function makeHosts(drivers: SandboxDrivers, sandbox: Sandbox): Promise<string> {
  if (isHostNetwork(sandbox.request)) return hostHosts;
  return drivers.files.writeHosts(
    sandbox.id,
    hostsFile(sandbox.hostname, sandbox.ips),
    podMountLabel(drivers, sandbox),
  );
}

async function startInfra(drivers: SandboxDrivers, sandbox: Sandbox, undo: AsyncDisposableStack): Promise<Sandbox> {
  undo.defer(() => drivers.infra.remove(sandbox));
  return { ...sandbox, infra: await drivers.infra.start(sandbox) };
}
