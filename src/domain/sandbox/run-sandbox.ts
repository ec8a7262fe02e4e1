import { DomainError } from "#errors/domain-error.ts";
import type { NamespaceKind } from "#drivers/namespaces/index.ts";
import { nowNs } from "#lib/clock.ts";
import { newId } from "#lib/ids.ts";
import { settleAll } from "#lib/settle.ts";
import { allowedAnnotations } from "#spec/allowed-annotations.ts";
import { requestAnnotation, requestedBy } from "#spec/annotations.ts";
import { checkedCgroupParent } from "./cgroups-path.ts";
import { checkNetworkRequest, connectSandbox, disconnectSandbox } from "./sandbox-network.ts";
import { checkLabels, podLabels } from "./kubernetes-labels.ts";
import type { SandboxRequest } from "./request.ts";
import { hostsFile, resolvConf, sandboxHostname, shmSizeBytes } from "./sandbox-files-content.ts";
import type { SandboxDrivers } from "./sandbox-drivers.ts";
import { handlerOf, isHostNetwork } from "./sandbox.ts";
import type { Sandbox, SandboxFiles } from "./sandbox.ts";
import { requestedUserNamespace } from "./user-namespace.ts";
import { mountLabel } from "./selinux-labels.ts";
import { madeCgroupOf, makeCgroup, releaseMadeCgroup } from "./made-cgroup.ts";
import { makeOwnGroup } from "./own-cgroup.ts";
import type { StandbyNetwork } from "./standby-networks.ts";
import { isNetworkSysctl, sandboxSysctls } from "./sysctls.ts";

/** How soon after the request for a pod the monitor of its first container is moved into its cgroups, mostly. */
const firstContainerWithinMs = 100;

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
  drivers.cgroups.expectMoves(firstContainerWithinMs);
  drivers.settings.checkHandler(runtimeHandler);
  checkLabels(request.labels);
  if (requestedUserNamespace(request) !== undefined) drivers.settings.checkUserNamespaces(runtimeHandler);
  if (!isHostNetwork(request)) {
    checkNetworkRequest(request);
    await networkReady(drivers, request);
  }

  await using undo = new AsyncDisposableStack();
  const standby = drivers.standby.take(request);
  if (standby !== undefined) undo.defer(() => drivers.standby.discard(standby));
  const draft = describe(drivers, request, runtimeHandler, standby);
  if (draft.selinuxLevel !== "") undo.defer(() => drivers.selinuxLevels.release(draft.selinuxLevel));
  undo.defer(() => store.delete(draft.id));
  await store.put(draft);

  const making = makeNamespaces(drivers, draft, undo);
  const [namespaces, ips, files] = await settleAll([
    making,
    connect(drivers, draft, standby, making, undo),
    makeFiles(drivers, draft, undo),
    makeCgroupParent(drivers, draft, undo),
  ]);
  const hosts = await makeHosts(drivers, { ...draft, ips });
  const complete: Sandbox = { ...draft, namespaces, ips, files: { ...files, hosts } };
  const running = drivers.infra.isNeeded(complete) ? await startInfra(drivers, complete, undo) : complete;
  const ready = await store.transition(running, { kind: "ready" });
  undo.move();
  // Nobody waits for it: moves that were announced may hold the kernel's lock on groups.
  void makeOwnGroup(drivers, ready);
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
function describe(
  drivers: SandboxDrivers,
  request: SandboxRequest,
  runtimeHandler: string,
  standby: StandbyNetwork | undefined,
): Sandbox {
  const { settings } = drivers;
  const id = standby?.id ?? newId();
  const { cgroupParent } = request.linux;
  checkedCgroupParent(settings.cgroupManager, cgroupParent);
  const madeCgroup = madeCgroupOf(drivers, cgroupParent);
  return {
    version: 1,
    id,
    request: { ...request, labels: podLabels(request.labels, request.metadata) },
    runtimeHandler,
    ...(runtimeHandler === "" ? { defaultHandler: settings.defaultHandler } : {}),
    createdAtNs: nowNs(),
    bootId: settings.bootId,
    state: { kind: "creating" },
    hostname: sandboxHostname(request.hostname, id, {
      hostNetwork: isHostNetwork(request),
      nodeName: settings.nodeName,
    }),
    namespaces: standby === undefined ? {} : { net: standby.netns },
    files: { resolvConf: "", hostname: "" },
    cgroupParent,
    ...(madeCgroup === undefined ? {} : { madeCgroup }),
    ips: [],
    selinuxLevel: settings.selinux.enabled ? drivers.selinuxLevels.allocate() : "",
  };
}

async function makeFiles(drivers: SandboxDrivers, sandbox: Sandbox, undo: AsyncDisposableStack): Promise<SandboxFiles> {
  const { request, id } = sandbox;
  const allowed = drivers.settings.allowedAnnotations(handlerOf(sandbox), request.annotations);
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

/** Adds to the namespaces that the pod has already. */
async function makeNamespaces(
  drivers: SandboxDrivers,
  { id, request, hostname, namespaces }: Sandbox,
  undo: AsyncDisposableStack,
): Promise<Sandbox["namespaces"]> {
  const kinds: NamespaceKind[] = [];
  if (!usesHost(request, "network") && namespaces.net === undefined) kinds.push("net");
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
  if (kinds.length === 0) return namespaces;
  undo.defer(() => drivers.namespaces.unpin(id));
  const pins = await drivers.namespaces.pin(id, kinds, {
    hostname,
    // A network that is there has its own, and this thread would set the host's.
    sysctls: namespaces.net === undefined ? sysctls : withoutNetwork(sysctls),
    ...(userns === undefined ? {} : { idMaps: userns }),
  });
  return { ...namespaces, ...pins };
}

function withoutNetwork(sysctls: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(sysctls).filter(([name]) => !isNetworkSysctl(name)));
}

function usesHost(request: SandboxRequest, kind: "network" | "ipc"): boolean {
  return request.linux.securityContext.namespaceOptions[kind] === "node";
}

/** Gives the pod's addresses. A network that waits for its pod needs none of the namespaces that are being made. */
async function connect(
  drivers: SandboxDrivers,
  draft: Sandbox,
  standby: StandbyNetwork | undefined,
  making: Promise<Sandbox["namespaces"]>,
  undo: AsyncDisposableStack,
): Promise<readonly string[]> {
  const sandbox = standby === undefined ? { ...draft, namespaces: await making } : draft;
  if (sandbox.namespaces.net === undefined) return sandbox.ips;
  undo.defer(() => disconnectSandbox(drivers, sandbox));
  return connectSandbox(drivers, sandbox, standby);
}

async function makeCgroupParent(drivers: SandboxDrivers, sandbox: Sandbox, undo: AsyncDisposableStack): Promise<void> {
  undo.defer(() => releaseMadeCgroup(drivers, sandbox));
  await makeCgroup(drivers, sandbox);
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
