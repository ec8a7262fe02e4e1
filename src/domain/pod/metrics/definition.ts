import type { Metric } from "#domain/runtime.ts";

/** A value, with the values of the labels that its metric has besides those of all metrics. */
export interface Sample {
  value: number | bigint;
  labels?: readonly string[];
}

/** A metric: what is told of it, and how it is read from facts of type `F`. */
export interface MetricDefinition<F> {
  name: string;
  help: string;
  type: Metric["type"];
  /** Keys after `baseLabelKeys`. */
  labelKeys: readonly string[];
  /** No sample where the fact is not known. */
  samples: (facts: F) => readonly Sample[];
}

/** Labels of every metric, as CRI-O and cAdvisor name them. */
export const baseLabelKeys = ["id", "name", "image", "namespace", "pod", "container"] as const;

type Value = number | bigint | undefined;

function single<F>(type: Metric["type"]) {
  return (name: string, help: string, value: (facts: F) => Value): MetricDefinition<F> => ({
    name: `container_${name}`,
    help,
    type,
    labelKeys: [],
    samples: (facts) => {
      const known = value(facts);
      return known === undefined ? [] : [{ value: known }];
    },
  });
}

function labelled<F>(type: Metric["type"]) {
  return (
    name: string,
    help: string,
    labelKeys: readonly string[],
    samples: (facts: F) => readonly Sample[],
  ): MetricDefinition<F> => ({ name: `container_${name}`, help, type, labelKeys, samples });
}

/** Makers of metrics of one kind of facts. */
export function metricsOf<F>() {
  return {
    counter: single<F>("counter"),
    gauge: single<F>("gauge"),
    labelledCounter: labelled<F>("counter"),
    labelledGauge: labelled<F>("gauge"),
  };
}

const nanosecondsPerSecond = 1_000_000_000n;

/** Whole seconds: the CRI carries no fractions. */
export function wholeSeconds(nanoseconds: bigint | undefined): bigint | undefined {
  return nanoseconds === undefined ? undefined : nanoseconds / nanosecondsPerSecond;
}
