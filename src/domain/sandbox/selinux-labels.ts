import type { SelinuxFacts, SelinuxLabels } from "#drivers/security/index.ts";
import type { NamespaceOptions, SelinuxOptions } from "./request.ts";

export interface SelinuxInputs {
  facts: SelinuxFacts;
  options: SelinuxOptions | undefined;
  namespaces: NamespaceOptions;
  privileged: boolean;
  /** `hostnetwork_disable_selinux` of the configuration. */
  hostNetworkDisables: boolean;
  /** MCS level of the pod, for requests that name none. */
  level: string;
  /** "kvm" for runtimes that run virtual machines, "init" for containers that run systemd. */
  kind?: "container" | "kvm" | "init";
}

const none: SelinuxLabels = { processLabel: "", mountLabel: "" };

/**
 * Labels of a container's process and files. Privileged containers and those in the host's PID or IPC namespace run without
 * a process label, since a confined process could not use what it was given; files keep theirs.
 */
export function selinuxLabels(inputs: SelinuxInputs): SelinuxLabels {
  if (!inputs.facts.enabled) return none;
  const process = merged(defaultProcessLabel(inputs), inputs.options, inputs.level);
  const file = mountLabel(inputs.facts, inputs.options, inputs.level);
  if (inputs.privileged) return { processLabel: "", mountLabel: file };
  const { network, pid, ipc } = inputs.namespaces;
  if (pid === "node" || ipc === "node" || (network === "node" && inputs.hostNetworkDisables))
    return { processLabel: "", mountLabel: file };
  return { processLabel: process, mountLabel: file };
}

/** Label of the files of a pod or container, whatever its processes run as; empty without SELinux. */
export function mountLabel(facts: SelinuxFacts, options: SelinuxOptions | undefined, level: string): string {
  if (!facts.enabled) return "";
  const chosen = options?.level || level || levelOf(facts.processLabel);
  return merged(facts.fileLabel, undefined, chosen);
}

function defaultProcessLabel(inputs: SelinuxInputs): string {
  switch (inputs.kind ?? "container") {
    case "kvm":
      return inputs.facts.kvmProcessLabel;
    case "init":
      return inputs.facts.initProcessLabel;
    case "container":
      return inputs.facts.processLabel;
  }
}

/** `user:role:type:level`, where the level has colons of its own. */
function merged(label: string, options: SelinuxOptions | undefined, level: string): string {
  const [user = "", role = "", type = ""] = label.split(":");
  const chosen = options?.level || level || levelOf(label);
  return [options?.user || user, options?.role || role, options?.type || type, chosen].join(":");
}

function levelOf(label: string): string {
  return label.split(":").slice(3).join(":") || "s0";
}
