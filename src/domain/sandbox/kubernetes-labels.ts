import { DomainError } from "#errors/domain-error.ts";
import type { SandboxMetadata } from "./request.ts";

type Labels = Readonly<Record<string, string>>;

/** What clients such as crictl and cAdvisor read a pod's and a container's name from. */
const label = {
  podName: "io.kubernetes.pod.name",
  podNamespace: "io.kubernetes.pod.namespace",
  podUid: "io.kubernetes.pod.uid",
  containerName: "io.kubernetes.container.name",
} as const;

/** As CRI-O limits a label, key and value together. */
const longestLabelBytes = 4096;

/** The labels of a pod with those that the kubelet sets, where another client did not. */
export function podLabels(labels: Labels, { name, namespace, uid }: SandboxMetadata): Record<string, string> {
  return { [label.podName]: name, [label.podNamespace]: namespace, [label.podUid]: uid, ...labels };
}

/** As `podLabels` for a container of the pod. */
export function containerLabels(labels: Labels, name: string, pod: SandboxMetadata): Record<string, string> {
  return { [label.containerName]: name, ...podLabels(labels, pod) };
}

/** @throws DomainError invalid-argument for a label of more than 4096 bytes */
export function checkLabels(labels: Labels): void {
  for (const [key, value] of Object.entries(labels)) {
    const sizeBytes = Buffer.byteLength(key) + Buffer.byteLength(value);
    if (sizeBytes <= longestLabelBytes) continue;
    throw new DomainError(
      "invalid-argument",
      `the label ${key.slice(0, 100)} has ${sizeBytes} bytes, key and value together; at most ${longestLabelBytes} are allowed`,
    );
  }
}
