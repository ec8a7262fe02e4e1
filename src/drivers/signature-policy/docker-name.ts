import type { Digest } from "#spec/oci-image.ts";
import type { SignedName } from "./index.ts";

/** A name as policies and signatures hold it; unlike an image that is asked for it may have neither tag nor digest. */
export interface DockerName {
  /** `registry/repository`. */
  repository: string;
  tag: string | undefined;
  digest: Digest | undefined;
}

/** Normalised as containers-policy.json(5) wants names: `busybox:1` is `docker.io/library/busybox:1`. Undefined for what is no name. */
export function parseDockerName(text: string): DockerName | undefined {
  const found = /^([^@]+?)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@([a-z0-9]+:[0-9a-f]{32,}))?$/.exec(text);
  const [, path = "", tag, digest] = found ?? [];
  const repository = expandedRepository(path);
  if (repository === undefined) return undefined;
  return { repository, tag, digest: digest === undefined ? undefined : (digest as Digest) };
}

function expandedRepository(path: string): string | undefined {
  const [first = "", ...rest] = path.split("/");
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase());
  const host = isHost ? first : "docker.io";
  const components = isHost ? rest : [first, ...rest];
  if (!components.every((component) => /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/.test(component))) return undefined;
  const official = host === "docker.io" && components.length === 1 ? ["library"] : [];
  return [host, ...official, ...components].join("/");
}

export function dockerNameOf({ registry, repository, tag, digest }: SignedName): DockerName {
  const name = `${registry}/${repository}`;
  if (digest !== undefined) return { repository: name, tag: undefined, digest };
  return { repository: name, tag: tag ?? "latest", digest: undefined };
}

/** `repository[:tag][@digest]`. */
export function formatDockerName({ repository, tag, digest }: DockerName): string {
  return `${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

/**
 * The scopes that settings for an image may stand under, from the narrowest: the whole name, the repository, its parents, the host with its
 * port, and wildcards for the host's domains (containers-policy.json(5), "docker:").
 */
export function scopesOf(name: DockerName): string[] {
  const parts = name.repository.split("/");
  const parents = parts.map((_, index) => parts.slice(0, parts.length - index).join("/"));
  const labels = (parts[0] ?? "").replace(/:\d+$/, "").split(".");
  const wildcards = labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join(".")}`);
  return [formatDockerName(name), ...parents, ...wildcards];
}
