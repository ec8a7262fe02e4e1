import { DomainError, type ErrorKind, kindOf } from "#errors/domain-error.ts";
import type { ImageReference, RegistryClient } from "#drivers/registry/index.ts";
import type { SignaturePolicies } from "#drivers/signature-policy/index.ts";
import type { ImageRecord, Storage } from "#drivers/storage/index.ts";
import { repositoryName } from "#spec/repository-name.ts";
import { findRecord, referencesOf } from "./image-names.ts";
import { checkSignatures, withSignatures } from "./image-signatures.ts";

/** Another name of the image may have its signatures at hand. */
const unaskedKinds: readonly ErrorKind[] = [
  "registry-unavailable",
  "unavailable",
  "deadline-exceeded",
  "unauthenticated",
  "permission-denied",
];

/** The names in a request by which an image is used. */
export interface NamedImage {
  /** Id, digest or name. */
  image: string;
  /** The name in the pod's manifest; empty when the client does not tell. */
  userSpecifiedImage: string;
}

/**
 * Asks the signature policy whether pods of a namespace may use an image that is here, which may have been pulled under another namespace's
 * policy. Images without the signatures that are asked for are looked up at their registry.
 * @throws DomainError signature-validation-failed; not-found when the image is not here; registry-unavailable and the like where signatures that may
 *   be there could not be asked for
 */
export async function allowUse(
  drivers: { registry: RegistryClient; storage: Storage; policies: SignaturePolicies },
  named: NamedImage,
  namespace: string,
  signal: AbortSignal,
): Promise<void> {
  const { registry, storage, policies } = drivers;
  if (!(await policies.checksUse(namespace))) return;
  const record = findRecord(storage.images(), named.image, registry);
  if (record === undefined) throw new DomainError("not-found", `image ${named.image} is not on this node`);
  const known = record.signatures ?? [];
  let refusal: unknown = new DomainError(
    "signature-validation-failed",
    `SignatureValidationFailed: image ${record.id} has no name that a policy could be about`,
  );
  let unknown: unknown;
  for (const reference of namesToCheck(named, record, registry)) {
    const digests = [record.manifestDigest, ...indexDigests(record, reference)];
    try {
      const accepted = await checkSignatures(drivers, { reference, digests, namespace, known }, { signal });
      await storage.updateImage(record.id, (current) => current && withSignatures(current, accepted));
      return;
    } catch (error) {
      const kind = kindOf(error);
      if (kind === "signature-validation-failed") refusal = error;
      else if (unaskedKinds.includes(kind)) unknown ??= error;
      else throw error;
    }
  }
  // By that name it might be allowed.
  throw unknown ?? refusal;
}

/** The kubelet names an image by its id and says apart what the pod calls it. Who says nothing means any of its names. */
function namesToCheck({ image, userSpecifiedImage }: NamedImage, record: ImageRecord, registry: RegistryClient) {
  const isId = record.id.startsWith(image.replace(/^sha256:/, ""));
  const name = userSpecifiedImage !== "" ? userSpecifiedImage : isId ? "" : image;
  const names = name === "" ? [...record.repoTags, ...record.repoDigests] : [name];
  return names.flatMap((one) => referencesOf(one, registry));
}

/** Digests of the indexes through which the image was pulled from the same repository. */
function indexDigests(record: ImageRecord, reference: ImageReference): `${string}:${string}`[] {
  const prefix = `${repositoryName(reference)}@`;
  return record.repoDigests
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length))
    .filter((digest): digest is `${string}:${string}` => digest.includes(":"));
}
