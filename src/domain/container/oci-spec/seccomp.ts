import type { SecurityProfile } from "#domain/sandbox/request.ts";
import { DomainError } from "#errors/domain-error.ts";
import type { OciSeccomp } from "#spec/oci-runtime.ts";
import {
  parseSeccompProfile,
  type ProfileTarget,
  resolveSeccompProfile,
  type SeccompProfile,
} from "./seccomp-profile.ts";

export interface SeccompInputs extends ProfileTarget {
  profile: SecurityProfile;
  /** Text of the file that a "localhost" profile names. */
  localhostText: string | undefined;
  privileged: boolean;
  /** False when the kernel has no seccomp filters. */
  enabled: boolean;
  /** `seccomp_profile` of the configuration, or the built-in one. */
  defaultProfile: SeccompProfile;
  /** `privileged_seccomp_profile`; privileged containers run without a filter when there is none. */
  privilegedProfile: SeccompProfile | undefined;
}

export interface SeccompResult {
  /** `undefined` to run unconfined. */
  seccomp: OciSeccomp | undefined;
  /** What the container's annotations and status say: `RuntimeDefault`, `Unconfined`, or `Localhost/<file>`. */
  name: string;
  warnings: string[];
}

const unconfined: SeccompResult = { seccomp: undefined, name: "Unconfined", warnings: [] };

/**
 * The system call filter. A request that names no profile runs unconfined, as the kubelet means it.
 * @throws DomainError invalid-argument for an unusable profile, failed-precondition when the kernel cannot apply a named one
 */
export function buildSeccomp(inputs: SeccompInputs): SeccompResult {
  const { profile } = inputs;
  if (inputs.privileged) {
    if (inputs.privilegedProfile === undefined || !inputs.enabled) return unconfined;
    return filtered(inputs.privilegedProfile, "Privileged", inputs);
  }
  switch (profile.type) {
    case "unset":
    case "unconfined":
      return unconfined;
    case "runtime-default":
      if (inputs.enabled) return filtered(inputs.defaultProfile, "RuntimeDefault", inputs);
      return {
        ...unconfined,
        warnings: ["the container runs without a system call filter: the kernel has no seccomp"],
      };
    case "localhost":
      return filtered(localhostProfile(inputs, profile.localhostRef), `Localhost/${profile.localhostRef}`, inputs);
  }
}

function localhostProfile(inputs: SeccompInputs, reference: string): SeccompProfile {
  if (!inputs.enabled)
    throw new DomainError(
      "failed-precondition",
      `the container asks for the seccomp profile ${reference}, but the kernel has no seccomp`,
    );
  if (inputs.localhostText === undefined)
    throw new DomainError("not-found", `the seccomp profile ${reference} is not on this node`);
  return parseSeccompProfile(inputs.localhostText, reference);
}

function filtered(profile: SeccompProfile, name: string, target: ProfileTarget): SeccompResult {
  return { seccomp: resolveSeccompProfile(profile, target), name, warnings: [] };
}
