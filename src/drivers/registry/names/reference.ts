import { DomainError } from "#errors/domain-error.ts";
import { isDigest } from "#spec/digest.ts";
import type { Digest } from "#spec/oci-image.ts";
import { repositoryName } from "#spec/repository-name.ts";
import type { ImageReference } from "../index.ts";

/** The registry that names without a host meant before there were others. */
const defaultRegistry = "docker.io";

/** A name cut at the separators of the distribution reference grammar; `registry` is missing for a short name. */
export interface NameParts {
  registry?: string;
  /** As written: `busybox`, not yet `library/busybox`. */
  path: string;
  tag?: string;
  digest?: Digest;
}

// distribution/reference grammar: host = domain-name | IPv4 | "[" IPv6 "]"; domain = host [":" port].
const domainComponent = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const host = `(?:${domainComponent}(?:\\.${domainComponent})*|\\[[a-fA-F0-9:]+\\])`;
const registryPattern = new RegExp(`^${host}(?::[0-9]+)?$`);
const pathComponent = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const pathPattern = new RegExp(`^${pathComponent}(?:/${pathComponent})*$`);
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const pathLengthLimit = 255;
// The longest legal name is far below this; it keeps hostile input away from the patterns.
const nameLengthLimit = 4096;

/**
 * Cuts `name` at its separators and checks every part. The first path component is a registry when it has a dot, a colon
 * or an upper-case letter, or is `localhost`; else the name is a short one.
 * @throws DomainError invalid-argument
 */
export function splitName(name: string): NameParts {
  if (name.length > nameLengthLimit) throw invalid(`${name.slice(0, 64)}...`, "it is too long");
  const at = name.indexOf("@");
  const digest = at === -1 ? undefined : name.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) throw invalid(name, `"${digest}" is no digest of a known algorithm`);
  const { rest, tag } = splitTag(at === -1 ? name : name.slice(0, at));
  if (tag !== undefined && !tagPattern.test(tag)) throw invalid(name, `"${tag}" is no tag`);
  const { registry, path } = splitRegistry(rest);
  checkRegistryAndPath(name, registry, path);
  return {
    ...(registry === undefined ? {} : { registry }),
    path,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/**
 * Parses and normalises a name: a short name belongs to docker.io, a one-part name there to `library/`, `index.docker.io`
 * is docker.io, and what has neither tag nor digest has the tag `latest`.
 * @throws DomainError invalid-argument for what is no reference (distribution reference grammar)
 */
export function parseReference(name: string): ImageReference {
  const parts = splitName(name);
  return qualify(parts, parts.registry ?? defaultRegistry);
}

/** The reference that `parts` are at `registry`, normalised as {@link parseReference} does. */
export function qualify(parts: NameParts, registry: string): ImageReference {
  const normalised = registry === "index.docker.io" ? defaultRegistry : registry;
  const repository = normalised === defaultRegistry && !parts.path.includes("/") ? `library/${parts.path}` : parts.path;
  const reference: ImageReference = { registry: normalised, repository };
  if (parts.tag !== undefined) reference.tag = parts.tag;
  if (parts.digest !== undefined) reference.digest = parts.digest;
  if (parts.tag === undefined && parts.digest === undefined) reference.tag = "latest";
  return reference;
}

/** `registry/repository[:tag][@digest]`; parses back to an equal reference. */
export function formatReference(reference: ImageReference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest = reference.digest === undefined ? "" : `@${reference.digest}`;
  return `${repositoryName(reference)}${tag}${digest}`;
}

/** A colon starts a tag only behind the last slash; before it, it starts a port. */
function splitTag(text: string): { rest: string; tag?: string } {
  const colon = text.lastIndexOf(":");
  if (colon === -1 || colon < text.lastIndexOf("/")) return { rest: text };
  return { rest: text.slice(0, colon), tag: text.slice(colon + 1) };
}

function splitRegistry(text: string): { registry?: string; path: string } {
  const slash = text.indexOf("/");
  const first = text.slice(0, slash);
  if (slash === -1 || !(/[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase()))
    return { path: text };
  return { registry: first, path: text.slice(slash + 1) };
}

function checkRegistryAndPath(name: string, registry: string | undefined, path: string): void {
  if (registry !== undefined && !registryPattern.test(registry)) throw invalid(name, `"${registry}" is no registry`);
  if (path === "") throw invalid(name, "it has no repository");
  if (path.length > pathLengthLimit) throw invalid(name, `its repository has more than ${pathLengthLimit} characters`);
  if (!pathPattern.test(path)) {
    const hint = pathPattern.test(path.toLowerCase()) ? " (repositories are lower case)" : "";
    throw invalid(name, `"${path}" is no repository${hint}`);
  }
  if (registry === undefined && /^[0-9a-f]{64}$/.test(path)) throw invalid(name, "64 hex digits are an image id");
}

function invalid(name: string, why: string): DomainError {
  return new DomainError("invalid-argument", `invalid image reference "${name}": ${why}`, {
    facts: { name, reason: "UNKNOWN" },
  });
}
