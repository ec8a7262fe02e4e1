import { allowedAnnotations } from "#spec/allowed-annotations.ts";
import { criAnnotation, stateAnnotation } from "#spec/annotations.ts";
import type { ContainerSpecInputs, SandboxFacts, SpecPolicy } from "./spec-inputs.ts";

/** All that users and the kubelet have written on the pod and on the container, which wins. */
export function usersAnnotations({ sandbox, container }: ContainerSpecInputs): Record<string, string> {
  return { ...sandbox.request.annotations, ...container.request.annotations };
}

/** What config.json's annotations tell about a container; berth's own keys win over the user's. */
export function containerAnnotations(inputs: ContainerSpecInputs, seccompName: string): Record<string, string> {
  const { container, sandbox, policy } = inputs;
  const { request, image } = container;
  // The pod's are kept too: hooks and runtimes that look into a container's config.json know what users write, on pods.
  const users = allowedAnnotations(usersAnnotations(inputs), policy.allowedAnnotations, policy.runtimeFeatures);
  return {
    ...policy.defaultAnnotations,
    ...users,
    ...podAnnotations(sandbox),
    [stateAnnotation.containerType]: "container",
    [stateAnnotation.containerId]: container.id,
    [stateAnnotation.name]: container.name,
    [stateAnnotation.containerName]: container.name,
    [stateAnnotation.created]: container.createdAt.toISOString(),
    [stateAnnotation.metadata]: JSON.stringify(request.metadata),
    [stateAnnotation.labels]: JSON.stringify(request.labels),
    [stateAnnotation.annotations]: JSON.stringify(request.annotations),
    [stateAnnotation.image]: image.id,
    [stateAnnotation.imageName]: image.name,
    [stateAnnotation.imageRef]: image.ref,
    [stateAnnotation.imageRepoDigests]: image.repoDigests.join(","),
    [stateAnnotation.logPath]: container.logPath,
    [stateAnnotation.mountPoint]: container.rootfs.path,
    [stateAnnotation.resolvPath]: sandbox.resolvPath,
    [stateAnnotation.seccompProfilePath]: seccompName,
    [stateAnnotation.stdin]: String(request.stdin),
    [stateAnnotation.stdinOnce]: String(request.stdinOnce),
    [stateAnnotation.tty]: String(request.tty),
    [stateAnnotation.volumes]: JSON.stringify(request.mounts.map(volumeFacts)),
    [stateAnnotation.privilegedRuntime]: String(request.linux.securityContext.privileged),
    // A runtime that makes a sandbox for each container would look for the pod's, which it has not made.
    [criAnnotation.containerType]: policy.sandboxPerContainer ? "sandbox" : "container",
    [criAnnotation.containerName]: request.metadata.name,
    [criAnnotation.imageName]: image.name,
  };
}

/** What config.json's annotations tell about the infra container, which runtimes with a machine per pod take for the pod. */
export function sandboxAnnotations(
  sandbox: SandboxFacts,
  policy: SpecPolicy,
  infra: { containerName: string; createdAt: Date; rootfsPath: string; seccompName: string },
): Record<string, string> {
  const { request } = sandbox;
  const users = allowedAnnotations(request.annotations, policy.allowedAnnotations, policy.runtimeFeatures);
  return {
    ...policy.defaultAnnotations,
    ...users,
    ...podAnnotations(sandbox),
    [stateAnnotation.containerType]: "sandbox",
    [stateAnnotation.containerId]: sandbox.id,
    [stateAnnotation.name]: sandbox.name,
    [stateAnnotation.containerName]: infra.containerName,
    [stateAnnotation.created]: infra.createdAt.toISOString(),
    [stateAnnotation.kubeName]: request.metadata.name,
    [stateAnnotation.metadata]: JSON.stringify(request.metadata),
    [stateAnnotation.labels]: JSON.stringify(request.labels),
    [stateAnnotation.annotations]: JSON.stringify(request.annotations),
    [stateAnnotation.cgroupParent]: request.linux.cgroupParent,
    [stateAnnotation.hostNetwork]: String(request.linux.securityContext.namespaceOptions.network === "node"),
    [stateAnnotation.hostnamePath]: sandbox.hostnamePath,
    [stateAnnotation.logPath]: request.logDirectory,
    [stateAnnotation.mountPoint]: infra.rootfsPath,
    [stateAnnotation.namespaceOptions]: JSON.stringify(request.linux.securityContext.namespaceOptions),
    [stateAnnotation.portMappings]: JSON.stringify(request.portMappings),
    [stateAnnotation.privilegedRuntime]: String(request.linux.securityContext.privileged),
    [stateAnnotation.resolvPath]: sandbox.resolvPath,
    [stateAnnotation.seccompProfilePath]: infra.seccompName,
    [stateAnnotation.shmPath]: sandbox.shmPath,
    [criAnnotation.containerType]: "sandbox",
  };
}

function podAnnotations(sandbox: SandboxFacts): Record<string, string> {
  const { metadata } = sandbox.request;
  const ips = sandbox.ips.map((ip, index) => [`${stateAnnotation.ip}.${index}`, ip]);
  return {
    ...Object.fromEntries(ips),
    [stateAnnotation.manager]: "cri-o",
    [stateAnnotation.sandboxId]: sandbox.id,
    [stateAnnotation.sandboxName]: sandbox.name,
    [stateAnnotation.namespace]: metadata.namespace,
    [stateAnnotation.hostName]: sandbox.hostname,
    [stateAnnotation.runtimeHandler]: sandbox.runtimeHandler,
    [criAnnotation.sandboxId]: sandbox.id,
    [criAnnotation.sandboxName]: metadata.name,
    [criAnnotation.sandboxNamespace]: metadata.namespace,
    [criAnnotation.sandboxUid]: metadata.uid,
  };
}

function volumeFacts(mount: { containerPath: string; hostPath: string; readonly: boolean; selinuxRelabel: boolean }) {
  return {
    container_path: mount.containerPath,
    host_path: mount.hostPath,
    readonly: mount.readonly,
    selinux_relabel: mount.selinuxRelabel,
  };
}
