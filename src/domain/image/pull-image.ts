import { DomainError, kindOf, messageOf } from "#errors/domain-error.ts";
import type { ImageReference, NamespacedAuth, RegistryClient, ResolvedImage } from "#drivers/registry/index.ts";
import type { SignaturePolicies } from "#drivers/signature-policy/index.ts";
import type { ImageRecord, Storage } from "#drivers/storage/index.ts";
import type { Logger } from "#observability/logger.ts";
import type { Platform } from "#spec/oci-image.ts";
import { repositoryName } from "#spec/repository-name.ts";
import { fetchContent } from "./fetch-content.ts";
import type { PullRequest } from "./image.ts";
import { recordName, tagName } from "./image-names.ts";
import { checkSignatures, withSignatures } from "./image-signatures.ts";
import type { PullObserver } from "./pull-observer.ts";
import type { PullProgress } from "./pull-progress.ts";
import { StallTimer } from "./stall-timer.ts";

export interface PullSettings {
  maxParallelLayerDownloads: number;
  /** undefined for the machine's own. */
  platform: Platform | undefined;
  /** A pull without any progress for this long is given up; 0 for never. */
  progressTimeoutMs: number;
}

export interface PullDrivers {
  registry: RegistryClient;
  storage: Storage;
  policies: SignaturePolicies;
  namespacedAuth: NamespacedAuth;
  settings: PullSettings;
  observer: PullObserver;
  logger: Logger;
}

type ResolveOptions = Parameters<RegistryClient["resolve"]>[1];

/**
 * Fetches an image and gives its record. The names that a short name may mean are tried in order.
 * @throws DomainError as the registry and the storage say; signature-validation-failed when the policy refuses the image,
 *   registry-unavailable when its signatures cannot be asked for; for several candidates one that tells what failed where
 */
export async function pullImage(
  drivers: PullDrivers,
  request: PullRequest,
  progress: PullProgress,
  signal: AbortSignal,
): Promise<ImageRecord> {
  await using waiting = await drivers.namespacedAuth.take(request.namespace, request.image);
  const authFile = waiting?.file ?? request.authFile;
  using stall = new StallTimer(drivers.settings.progressTimeoutMs, `the pull of ${request.image} made no progress`);
  using _ = progress.onChange(() => stall.progress());
  const { platform } = drivers.settings;
  const options: ResolveOptions = {
    auth: request.auth,
    signal: AbortSignal.any([signal, stall.signal]),
    ...(platform === undefined ? {} : { platform }),
    ...(authFile === undefined ? {} : { authFile }),
  };
  const failures: { reference: ImageReference; error: unknown }[] = [];
  for (const reference of drivers.registry.candidates(request.image)) {
    try {
      return await pullCandidate(drivers, reference, request.namespace, options, progress);
    } catch (error) {
      failures.push({ reference, error });
    }
  }
  throw pullError(request.image, failures);
}

async function pullCandidate(
  drivers: PullDrivers,
  reference: ImageReference,
  namespace: string,
  options: ResolveOptions,
  progress: PullProgress,
): Promise<ImageRecord> {
  const { storage, observer, settings } = drivers;
  const { maxParallelLayerDownloads } = settings;
  const resolved = await drivers.registry.resolve(reference, options);
  const digests = [resolved.manifestDigest, resolved.topDigest];
  // Nothing of an image is unpacked before it is known to be allowed.
  const signatures = await checkSignatures(drivers, { reference, digests, namespace, known: [] }, options);
  using _ = storage.keepFetched();
  const content = await fetchContent(
    { storage, maxParallelLayerDownloads, observer, progress, signal: options.signal },
    resolved,
  );
  const record = await storage.updateImage(content.id, (existing) => {
    const known = existing?.signatures === undefined ? {} : { signatures: existing.signatures };
    return withSignatures({ ...content, ...names(resolved, existing), ...known }, signatures);
  });
  if (record === undefined) throw new DomainError("internal", `image ${content.id} has no record after its pull`);
  return record;
}

function pullError(image: string, failures: readonly { reference: ImageReference; error: unknown }[]): unknown {
  const [first] = failures;
  if (first === undefined)
    return new DomainError("invalid-argument", `image ${image}: no registry is configured to look it up in`);
  if (failures.length === 1) return first.error;
  const list = failures.map(({ reference, error }) => `${recordName(reference)}: ${messageOf(error)}`);
  return new DomainError(kindOf(first.error), `image ${image} could not be pulled: ${list.join("; ")}`, {
    cause: first.error,
  });
}

/** The names an image has after this pull: those it had, and those by which it was asked for now. */
function names(
  resolved: ResolvedImage,
  existing: ImageRecord | undefined,
): Pick<ImageRecord, "repoTags" | "repoDigests"> {
  const { reference, topDigest } = resolved;
  // A reference by digest names no tag, even when it has one: the tag may point elsewhere by now.
  const tag = reference.digest === undefined ? tagName({ ...reference, tag: reference.tag ?? "latest" }) : undefined;
  const digests = new Set(
    [topDigest, resolved.manifestDigest].map((digest) => `${repositoryName(reference)}@${digest}`),
  );
  return {
    repoTags: [...new Set([...(existing?.repoTags ?? []), ...(tag === undefined ? [] : [tag])])],
    repoDigests: [...new Set([...(existing?.repoDigests ?? []), ...digests])],
  };
}
