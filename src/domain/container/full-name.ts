import type { SandboxMetadata } from "#domain/sandbox/request.ts";
import type { ContainerMetadata } from "./request.ts";

/** `k8s_<container>_<pod>_<namespace>_<uid>_<attempt>`, as tools for CRI-O and cAdvisor read it. */
export function fullName({ name, attempt }: ContainerMetadata, pod: SandboxMetadata): string {
  return ["k8s", name, pod.name, pod.namespace, pod.uid, String(attempt)].join("_");
}
