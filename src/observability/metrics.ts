/** Label names of a metric and their values for one series. */
export type Labels<L extends string> = Readonly<Record<L, string>>;

export interface Counter<L extends string = never> {
  /** Adds `amount`, 1 unless said, which must not be negative. */
  add(labels: Labels<L>, amount?: number): void;
}

export interface Gauge<L extends string = never> {
  set(labels: Labels<L>, value: number): void;
}

/** A histogram or a summary: a distribution of observed values. */
export interface Distribution<L extends string = never> {
  observe(labels: Labels<L>, value: number): void;
}

export interface MetricDefinition<L extends string> {
  name: string;
  help: string;
  labels: readonly L[];
}

/** A metric as the registry keeps it. */
interface Metric {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly type: "counter" | "gauge" | "histogram" | "summary";
  /** Lines of the exposition, one per sample. */
  samples(): string[];
}

/**
 * Series that one metric may have. Labels that come from outside (names of images, errors) would otherwise grow for as
 * long as the daemon runs; the rest is counted together under the label value `other`.
 */
const mostSeries = 2000;

/** Metrics of one process, rendered in the Prometheus text format 0.0.4. */
export class MetricsRegistry {
  private readonly metrics = new Map<string, Metric>();

  /** `collect`, for a metric without labels, is asked for the value at each rendering. */
  counter<const L extends string>(definition: MetricDefinition<L> & { collect?: () => number }): Counter<L> {
    const series = new Series(definition, () => ({ value: 0 }));
    this.register("counter", definition, valueLines(definition, series));
    return {
      add(labels, amount = 1) {
        if (amount >= 0) series.at(labels).value += amount;
      },
    };
  }

  /** `collect`, for a metric without labels, is asked for the value at each rendering. */
  gauge<const L extends string>(definition: MetricDefinition<L> & { collect?: () => number }): Gauge<L> {
    const series = new Series(definition, () => ({ value: 0 }));
    this.register("gauge", definition, valueLines(definition, series));
    return {
      set(labels, value) {
        series.at(labels).value = value;
      },
    };
  }

  /** `buckets` are upper bounds, ascending, without +Inf. */
  histogram<const L extends string>(definition: MetricDefinition<L> & { buckets: readonly number[] }): Distribution<L> {
    const { buckets } = definition;
    const series = new Series(definition, () => ({ counts: buckets.map(() => 0), sum: 0, count: 0 }));
    this.register("histogram", definition, () =>
      series.lines(({ counts, sum, count }) => {
        let cumulative = 0;
        const lines: Sample[] = counts.map((inBucket, index) => {
          cumulative += inBucket;
          return ["_bucket", { le: formatNumber(buckets[index] ?? 0) }, cumulative];
        });
        return [...lines, ["_bucket", { le: "+Inf" }, count], ["_sum", {}, sum], ["_count", {}, count]];
      }),
    );
    return {
      observe(labels, value) {
        const entry = series.at(labels);
        const bucket = buckets.findIndex((bound) => value <= bound);
        if (bucket !== -1) entry.counts[bucket] = (entry.counts[bucket] ?? 0) + 1;
        entry.sum += value;
        entry.count += 1;
      },
    };
  }

  /** Quantiles are taken from the last `window` observations (500 unless said). */
  summary<const L extends string>(
    definition: MetricDefinition<L> & { quantiles: readonly number[]; window?: number },
  ): Distribution<L> {
    const window = definition.window ?? 500;
    const series = new Series(definition, () => ({ recent: [] as number[], next: 0, sum: 0, count: 0 }));
    this.register("summary", definition, () =>
      series.lines(({ recent, sum, count }) => {
        const sorted = recent.toSorted((left, right) => left - right);
        const lines: Sample[] = definition.quantiles.map((quantile) => {
          const rank = Math.max(0, Math.ceil(quantile * sorted.length) - 1);
          return ["", { quantile: formatNumber(quantile) }, sorted[rank] ?? Number.NaN];
        });
        return [...lines, ["_sum", {}, sum], ["_count", {}, count]];
      }),
    );
    return {
      observe(labels, value) {
        const entry = series.at(labels);
        entry.recent[entry.next] = value;
        entry.next = (entry.next + 1) % window;
        entry.sum += value;
        entry.count += 1;
      },
    };
  }

  /** Every metric with its labels, in the order of rendering. */
  definitions(): { name: string; help: string; type: string; labels: readonly string[] }[] {
    return [...this.metrics.values()].map(({ name, help, type, labels }) => ({ name, help, type, labels }));
  }

  /** All metrics, to be served as `text/plain; version=0.0.4; charset=utf-8`. `include` picks by name. */
  render(include: (name: string) => boolean = () => true): string {
    const lines: string[] = [];
    for (const metric of this.metrics.values()) {
      if (!include(metric.name)) continue;
      const samples = metric.samples();
      if (samples.length === 0) continue;
      const help = metric.help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
      lines.push(`# HELP ${metric.name} ${help}`, `# TYPE ${metric.name} ${metric.type}`, ...samples);
    }
    return lines.map((line) => `${line}\n`).join("");
  }

  private register(
    type: Metric["type"],
    { name, help, labels }: MetricDefinition<string>,
    samples: () => string[],
  ): void {
    if (this.metrics.has(name)) throw new Error(`metric ${name} is registered twice`);
    this.metrics.set(name, { name, help, labels, type, samples });
  }
}

/** Suffix of the metric name, labels beyond those of the series, and the value. */
type Sample = readonly [suffix: string, extraLabels: Readonly<Record<string, string>>, value: number];

/** The values of one metric by their labels. */
class Series<L extends string, V> {
  private readonly values = new Map<string, { labels: Readonly<Record<string, string>>; value: V }>();
  private readonly definition: MetricDefinition<L>;
  private readonly initial: () => V;

  constructor(definition: MetricDefinition<L>, initial: () => V) {
    this.definition = definition;
    this.initial = initial;
    // A metric without labels is there from the start with its zero, so that rates can be computed.
    if (definition.labels.length === 0) this.values.set("", { labels: {}, value: initial() });
  }

  at(labels: Labels<L>): V {
    const names = this.definition.labels;
    const key = names.map((name) => labels[name]).join("\0");
    const known = this.values.get(key);
    if (known !== undefined) return known.value;
    if (this.values.size >= mostSeries && names.some((name) => labels[name] !== "other")) {
      return this.at(Object.fromEntries(names.map((name) => [name, "other"])) as Labels<L>);
    }
    const value = this.initial();
    this.values.set(key, { labels: Object.fromEntries(names.map((name) => [name, labels[name]])), value });
    return value;
  }

  lines(samplesOf: (value: V) => readonly Sample[]): string[] {
    return [...this.values.values()].flatMap(({ labels, value }) =>
      samplesOf(value).map(
        ([suffix, extra, sample]) =>
          `${this.definition.name}${suffix}${formatLabels({ ...labels, ...extra })} ${formatNumber(sample)}`,
      ),
    );
  }
}

/** The samples of a counter or gauge. */
function valueLines<L extends string>(
  { name, collect }: MetricDefinition<L> & { collect?: () => number },
  series: Series<L, { value: number }>,
): () => string[] {
  if (collect !== undefined) return () => [`${name} ${formatNumber(collect())}`];
  return () => series.lines(({ value }) => [["", {}, value]]);
}

function formatLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function formatNumber(value: number): string {
  if (value === Infinity) return "+Inf";
  if (value === -Infinity) return "-Inf";
  return String(value);
}
