import { api } from "./options/api.ts";
import { berth } from "./options/berth.ts";
import { crio } from "./options/crio.ts";
import { image } from "./options/image.ts";
import { metrics } from "./options/metrics.ts";
import { network } from "./options/network.ts";
import { nri, nriDefaultValidator } from "./options/nri.ts";
import { runtime } from "./options/runtime.ts";
import { stats } from "./options/stats.ts";
import { tracing } from "./options/tracing.ts";
import type { AnySection, NamedTables, SectionValues, Values } from "./section.ts";

/**
 * The table of all options, by section. TOML, flags, environment variables, `berth config` and docs/configuration.md
 * are derived from it; a default value stands nowhere else.
 */
export const sections = {
  crio,
  api,
  runtime,
  image,
  network,
  metrics,
  tracing,
  stats,
  nri,
  nriDefaultValidator,
  berth,
};

export type SectionName = keyof typeof sections;

/** The whole configuration, e.g. `config.runtime.cgroupManager`. Immutable; a reload makes a new one. */
export type Config = { readonly [K in SectionName]: SectionValues<(typeof sections)[K]> };

type FieldsOf<T> = T extends NamedTables<infer F> ? Values<F> : never;

/** One `[crio.runtime.runtimes.NAME]` as written; `resolveRuntimeHandlers` fills in what it leaves to other options. */
export type RuntimeHandlerConfig = FieldsOf<typeof runtime.tables.runtimes>;

/** One `[crio.runtime.workloads.NAME]`. */
export type WorkloadConfig = FieldsOf<typeof runtime.tables.workloads>;

/** The sections for code that treats all alike, in the order in which they are printed. */
export const sectionList: readonly (readonly [SectionName, AnySection])[] = Object.entries(sections) as [
  SectionName,
  AnySection,
][];
