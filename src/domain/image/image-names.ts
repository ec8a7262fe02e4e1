import type { ImageReference, RegistryClient } from "#drivers/registry/index.ts";
import type { ImageRecord } from "#drivers/storage/index.ts";
import { repositoryName } from "#spec/repository-name.ts";

export function tagName(reference: ImageReference): string | undefined {
  return reference.tag === undefined ? undefined : `${repositoryName(reference)}:${reference.tag}`;
}

/** The full name of a reference as image records spell it; a digest says more than a tag. */
export function recordName(reference: ImageReference): string {
  const { digest } = reference;
  return digest === undefined
    ? `${repositoryName(reference)}:${reference.tag ?? "latest"}`
    : `${repositoryName(reference)}@${digest}`;
}

/** The id that a name is, or begins: `sha256:<hex>`, 64 hex, or at least the first 3 of them. undefined for other names. */
function idPrefixOf(name: string): string | undefined {
  const hex = name.startsWith("sha256:") ? name.slice("sha256:".length) : name;
  return /^[0-9a-f]{3,64}$/.test(hex) ? hex : undefined;
}

/** The record that a name means: by id, by unique id prefix, by tag or by digest. */
export function findRecord(
  records: readonly ImageRecord[],
  name: string,
  registry: Pick<RegistryClient, "candidates">,
): ImageRecord | undefined {
  const prefix = idPrefixOf(name);
  if (prefix !== undefined) {
    const fitting = records.filter((record) => record.id.startsWith(prefix));
    if (fitting.length === 1 || prefix.length === 64) return fitting[0];
  }
  for (const wanted of namesOf(name, registry)) {
    const found = records.find((record) => record.repoTags.includes(wanted) || record.repoDigests.includes(wanted));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Spellings under which records may have a name. */
export function namesOf(name: string, registry: Pick<RegistryClient, "candidates">): string[] {
  return referencesOf(name, registry).map(recordName);
}

/** What a name of an image that is here may mean. */
export function referencesOf(name: string, registry: Pick<RegistryClient, "candidates">): ImageReference[] {
  for (const spelling of [name, `docker.io/${name}`]) {
    try {
      return registry.candidates(spelling);
    } catch {
      // Short names that cannot be pulled, for want of a search registry or because there are several, still are docker.io's. What is no
      // reference at all names nothing that is here.
    }
  }
  return [];
}

/** Patterns of `pinned_images`: exact, `prefix*`, or `*part*`; case does not matter. */
export function isPinned(record: Pick<ImageRecord, "repoTags" | "repoDigests">, patterns: readonly string[]): boolean {
  const names = [...record.repoTags, ...record.repoDigests].map((name) => name.toLowerCase());
  return patterns.some((pattern) => names.some((name) => matches(name, pattern.toLowerCase())));
}

function matches(name: string, pattern: string): boolean {
  if (pattern === "") return false;
  const body = pattern.replaceAll(/^\*|\*$/g, "");
  if (pattern.startsWith("*") && pattern.endsWith("*")) return name.includes(body);
  if (pattern.endsWith("*")) return name.startsWith(body);
  return name === pattern;
}
