import type { SecurityProfile } from "#domain/sandbox/request.ts";
import { DomainError } from "#errors/domain-error.ts";

const localhostPrefix = "localhost/";

export interface ApparmorInputs {
  profile: SecurityProfile;
  privileged: boolean;
  enabled: boolean;
  /** `apparmor_profile` of the configuration: a loaded profile's name, or `unconfined`. */
  defaultProfile: string;
}

/**
 * `process.apparmorProfile`, or `undefined` to run without. Privileged containers run without any, as the CRI says.
 * @throws DomainError failed-precondition when a named profile is asked for and AppArmor is off: running unconfined instead
 *   would be silent
 */
export function apparmorProfile(inputs: ApparmorInputs): string | undefined {
  const { profile } = inputs;
  if (inputs.privileged) return undefined;
  if (!inputs.enabled) {
    if (profile.type !== "localhost") return undefined;
    throw new DomainError(
      "failed-precondition",
      `the container asks for the AppArmor profile ${profile.localhostRef}, but AppArmor is not enabled on this node`,
    );
  }
  switch (profile.type) {
    case "unset":
    case "runtime-default":
      return inputs.defaultProfile === "" ? undefined : inputs.defaultProfile;
    case "unconfined":
      return "unconfined";
    case "localhost":
      return profile.localhostRef.startsWith(localhostPrefix)
        ? profile.localhostRef.slice(localhostPrefix.length)
        : profile.localhostRef;
  }
}
