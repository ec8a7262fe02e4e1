import path from "node:path";
import { DomainError, type ErrorKind, kindOf, messageOf } from "#errors/domain-error.ts";
import type { ImageSignature } from "#spec/image-signature.ts";
import { type DockerName, dockerNameOf, formatDockerName, scopesOf } from "./docker-name.ts";
import { fulfil } from "./fulfil.ts";
import type { SignaturePolicies } from "./index.ts";
import { type Policy, readPolicy } from "./policy-file.ts";
import type { Requirement } from "./requirement.ts";

export interface SignaturePolicyOptions {
  /** `signature_policy`; empty for `defaultFile`, if that exists. */
  file(): string;
  /** /etc/containers/policy.json. */
  defaultFile: string;
  /** `signature_policy_dir`: `<namespace>.json`. */
  directory: string;
  /** /etc/containers/registries.d: where simple signatures lie. */
  registriesDirectory: string;
}

/** Policies are read whenever they are asked for: a change holds from the next pull on. */
export function signaturePolicies(options: SignaturePolicyOptions): SignaturePolicies {
  const ofNamespace = (namespace: string): Promise<Policy | undefined> =>
    namespace === "" ? Promise.resolve(undefined) : readPolicy(namespaceFile(options.directory, namespace));

  async function policyFor(namespace: string): Promise<Policy | undefined> {
    const own = await ofNamespace(namespace);
    if (own !== undefined) return own;
    const chosen = options.file();
    const policy = await readPolicy(chosen || options.defaultFile);
    if (policy !== undefined || chosen === "") return policy;
    throw new DomainError("failed-precondition", `the signature policy ${chosen} of the configuration does not exist`);
  }

  return {
    async check(request) {
      const policy = await policyFor(request.namespace);
      if (policy === undefined) return [];
      const name = dockerNameOf(request.name);
      const accepted: ImageSignature[] = [];
      const { requirements, scope } = requirementsFor(policy, name);
      try {
        for (const requirement of requirements)
          accepted.push(...(await fulfil(requirement, name, request, options.registriesDirectory)));
      } catch (error) {
        request.signal.throwIfAborted();
        if (isLookupFailure(error)) throw notLookedUp(formatDockerName(name), policy.file, scope, error);
        const where = `${policy.file} (${scope})`;
        throw new DomainError(
          "signature-validation-failed",
          `SignatureValidationFailed: image ${formatDockerName(name)} is refused by ${where}: ${messageOf(error)}`,
          { facts: { image: formatDockerName(name), policy: policy.file, scope }, cause: error },
        );
      }
      return accepted;
    },

    async checksUse(namespace) {
      return options.file() !== "" || (await ofNamespace(namespace)) !== undefined;
    },
  };
}

/** The place of the signatures did not answer, or not us: whether the image is signed is not known. */
function isLookupFailure(error: unknown): boolean {
  const kinds: readonly ErrorKind[] = [
    "registry-unavailable",
    "unavailable",
    "deadline-exceeded",
    "unauthenticated",
    "permission-denied",
    "cancelled",
    "aborted",
  ];
  return kinds.includes(kindOf(error));
}

function notLookedUp(image: string, policy: string, scope: string, error: unknown): DomainError {
  const kind = kindOf(error);
  const bare = messageOf(error).replace(/^RegistryUnavailable: /, "");
  const facts = error instanceof DomainError ? error.facts : {};
  return new DomainError(
    kind,
    `${kind === "registry-unavailable" ? "RegistryUnavailable: " : ""}the signatures of image ${image}, which ${policy} (${scope}) asks for, cannot be read: ${bare}`,
    { facts: { reason: "UNKNOWN", ...facts, image, policy, scope }, cause: error },
  );
}

/** @throws DomainError invalid-argument: namespaces become paths */
function namespaceFile(directory: string, namespace: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(namespace)) return path.join(directory, `${namespace}.json`);
  throw new DomainError("invalid-argument", `the namespace ${JSON.stringify(namespace)} cannot be a file's name`);
}

function requirementsFor(policy: Policy, name: DockerName): { requirements: readonly Requirement[]; scope: string } {
  for (const scope of [...scopesOf(name), ""]) {
    const requirements = policy.docker.get(scope);
    if (requirements !== undefined) return { requirements, scope: scope === "" ? "all of docker" : scope };
  }
  return { requirements: policy.default, scope: "default" };
}
