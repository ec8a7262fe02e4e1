import { readFile } from "node:fs/promises";
import type { Config, Paths } from "#config/index.ts";
import { defaultSeccompProfile } from "#domain/container/oci-spec/default-seccomp-profile.ts";
import { parseDevice } from "#domain/container/oci-spec/devices.ts";
import { parseSeccompProfile } from "#domain/container/oci-spec/seccomp-profile.ts";
import type { SeccompProfile } from "#domain/container/oci-spec/seccomp-profile.ts";
import type { SpecPolicy } from "#domain/container/oci-spec/spec-inputs.ts";
import type { Security } from "#drivers/security/index.ts";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import { settleAll } from "#lib/settle.ts";
import type { Handlers } from "./runtime-handlers.ts";

/** What config.json of a handler's containers takes from the configuration; made once per handler, since runtimes are asked what they can do. */
export function specPolicies(
  config: () => Config,
  paths: Paths,
  handlers: Handlers,
  security: Security,
): (handler: string) => Promise<SpecPolicy> {
  const made = new Map<string, { from: Config; policy: Promise<SpecPolicy> }>();
  const policyOf = (handler: string, current: Config): Promise<SpecPolicy> => {
    const known = made.get(handler);
    if (known?.from === current) return known.policy;
    const policy = makePolicy(current, paths, handlers, security, handler);
    made.set(handler, { from: current, policy });
    // A profile that could not be read may be there at the next try.
    policy.catch(() => made.delete(handler));
    return policy;
  };
  return async (handler) => {
    const current = config();
    const [policy, apparmorProfile] = await settleAll([
      policyOf(handler, current),
      // Asked each time: programs that tidy up AppArmor's profiles remove what lies in no file of theirs.
      security.defaultApparmorProfile(current.runtime.apparmorProfile),
    ]);
    return { ...policy, apparmorProfile };
  };
}

async function makePolicy(
  config: Config,
  paths: Paths,
  handlers: Handlers,
  security: Security,
  handler: string,
): Promise<SpecPolicy> {
  const settings = handlers.settings(handler);
  const { runtime } = config;
  const [features, seccompProfile, privilegedSeccompProfile, additionalDevices] = await Promise.all([
    handlers.runtimes.get(handler).features(),
    readProfile(settings.seccompProfile || runtime.seccompProfile),
    runtime.privilegedSeccompProfile === "" ? undefined : readProfile(runtime.privilegedSeccompProfile),
    Promise.all(
      runtime.additionalDevices.map(async (text) => {
        const request = parseDevice(text);
        return { request, nodes: await security.devicesAt(request.hostPath) };
      }),
    ),
  ]);
  return {
    cgroupManager: runtime.cgroupManager,
    defaultCapabilities: runtime.defaultCapabilities,
    addInheritableCapabilities: runtime.addInheritableCapabilities,
    defaultEnv: runtime.defaultEnv,
    defaultUlimits: runtime.defaultUlimits,
    pidsLimit: runtime.pidsLimit,
    readOnly: runtime.readOnly,
    seccompProfile,
    privilegedSeccompProfile,
    apparmorProfile: runtime.apparmorProfile,
    additionalDevices,
    deviceOwnershipFromSecurityContext: runtime.deviceOwnershipFromSecurityContext,
    hostNetworkDisablesSelinux: runtime.hostnetworkDisableSelinux,
    privilegedWithoutHostDevices: settings.privilegedWithoutHostDevices,
    minInjectedGomaxprocs: runtime.minInjectedGomaxprocs,
    minMemoryBytes: settings.containerMinMemoryBytes,
    allowedAnnotations: settings.allowedAnnotations,
    defaultAnnotations: Object.fromEntries(settings.defaultAnnotations),
    runtimeFeatures: features ?? {},
    sandboxPerContainer: handlers.isSandboxed(handler),
    runtimeKind: settings.runtimeType === "vm" ? "vm" : "oci",
    storageRoots: [paths.rootfsMounts, paths.root],
  };
}

async function readProfile(file: string): Promise<SeccompProfile> {
  if (file === "") return defaultSeccompProfile;
  try {
    return parseSeccompProfile(await readFile(file, "utf8"), file);
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw new DomainError(
      "failed-precondition",
      `seccomp profile ${file} of the configuration cannot be read: ${messageOf(error)}`,
      { cause: error },
    );
  }
}
