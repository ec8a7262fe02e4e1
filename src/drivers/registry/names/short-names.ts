import { DomainError } from "#errors/domain-error.ts";
import { qualify, splitName } from "./reference.ts";
import type { ImageReference } from "../index.ts";
import type { RegistriesConf, ShortNameMode } from "./registries-conf.ts";

/**
 * The references `name` may mean, to be tried in order. A name with a registry means itself; a short name means its alias,
 * else its namesake at each search registry.
 * @param mode replaces `short-name-mode` of the configuration
 * @throws DomainError invalid-argument for what is no reference, for a short name without any search registry, and, when
 *   enforcing, for one with several: nobody can be asked which is meant
 */
export function shortNameCandidates(conf: RegistriesConf, name: string, mode?: ShortNameMode): ImageReference[] {
  const parts = splitName(name);
  if (parts.registry !== undefined) return [qualify(parts, parts.registry)];
  const alias = conf.aliases.get(parts.path);
  if (alias !== undefined) {
    const target = splitName(alias);
    if (target.registry === undefined) throw refuse(name, `its alias "${alias}" names no registry`);
    return [qualify({ ...parts, path: target.path }, target.registry)];
  }
  const registries = conf.unqualifiedSearchRegistries;
  if (registries.length === 0)
    throw refuse(
      name,
      `it names no registry, has no alias, and unqualified-search-registries is empty in ${conf.files.join(", ") || "registries.conf (no such file)"}`,
    );
  if (registries.length > 1 && (mode ?? conf.shortNameMode) === "enforcing")
    throw refuse(name, `short-name-mode is enforcing and it could be at any of ${registries.join(", ")}`);
  return registries.map((registry) => qualify(parts, registry));
}

function refuse(name: string, why: string): DomainError {
  return new DomainError("invalid-argument", `cannot resolve the short name "${name}": ${why}`, {
    facts: { name, reason: "UNKNOWN" },
  });
}
