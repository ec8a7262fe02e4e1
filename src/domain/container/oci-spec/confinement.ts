import type { HostFacts } from "#drivers/security/index.ts";
import { buildCapabilities, capabilityWarnings, type CapabilityInputs, type CapabilityResult } from "./capabilities.ts";
import { buildSeccomp, type SeccompInputs, type SeccompResult } from "./seccomp.ts";
import type { SpecPolicy } from "./spec-inputs.ts";

/** What the request says of both. A pause process may be in a privileged pod without having all capabilities. */
export interface ConfinementRequest {
  capabilities: Pick<CapabilityInputs, "request" | "privileged">;
  seccomp: Pick<SeccompInputs, "profile" | "localhostText" | "privileged">;
}

export interface Confinement {
  capabilities: CapabilityResult;
  seccomp: SeccompResult;
  warnings: string[];
}

/**
 * Capabilities and system call filter of a process by what is asked for, configured, and possible on this machine.
 * @throws DomainError as both do
 */
export function buildConfinement(
  { host, policy }: { host: HostFacts; policy: SpecPolicy },
  asked: ConfinementRequest,
): Confinement {
  const capabilities = buildCapabilities({
    ...asked.capabilities,
    defaults: policy.defaultCapabilities,
    addInheritable: policy.addInheritableCapabilities,
    bounding: host.capabilities.bounding,
  });
  const seccomp = buildSeccomp({
    ...asked.seccomp,
    enabled: host.seccomp.enabled,
    defaultProfile: policy.seccompProfile,
    privilegedProfile: policy.privilegedSeccompProfile,
    architecture: host.architecture,
    capabilities: capabilities.capabilities.bounding,
    kernelRelease: host.kernelRelease,
  });
  return { capabilities, seccomp, warnings: [...capabilityWarnings(capabilities), ...seccomp.warnings] };
}
