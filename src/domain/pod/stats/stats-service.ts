import { isLive } from "#domain/container/container.ts";
import type { Container } from "#domain/container/container.ts";
import type {
  ContainerStats,
  EntityFilter,
  MetricDescriptor,
  SandboxMetrics,
  SandboxStats,
  Stats,
} from "#domain/runtime.ts";
import { isReady } from "#domain/sandbox/sandbox.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import { collectMetrics } from "../metrics/collect-metrics.ts";
import { descriptorsOf, familiesOf } from "../metrics/families.ts";
import type { MetricFamilies } from "../metrics/families.ts";
import { fitsFilter } from "../filter.ts";
import { collectContainer, collectSandbox } from "./collect-stats.ts";
import type { StatsMemory } from "./collect-stats.ts";
import { CpuRates } from "./cpu-rates.ts";
import { inParallel } from "./in-parallel.ts";
import { periodically } from "./periodically.ts";
import type { StatsDrivers, StatsSettings } from "./stats-drivers.ts";
import { WritableLayers } from "./writable-layers.ts";

/** cAdvisor's rhythm, which the kubelet's eviction was made for. */
const defaultLayerRefreshMs = 60_000;
/** How long a request for one container waits for the first measurement of its layer. */
const firstMeasurementMs = 250;
/** Each reads several files at once; more would only queue in the thread pool. */
const parallelism = 8;

/** Usage as the edges see it. Tell it what is removed, and close it at the end. */
export interface StatsService extends Stats {
  /** Drops what is remembered of a removed container or sandbox. */
  forget(id: string): void;
  /** Ends the periodic collection. */
  close(): Promise<void>;
}

/** Usage of pods and containers, collected when asked or periodically. No list holds a lock, and none waits for another. */
export function createStats(drivers: StatsDrivers, settings: StatsSettings): StatsService {
  return new CollectedStats(drivers, settings);
}

class CollectedStats implements StatsService {
  readonly #drivers: StatsDrivers;
  readonly #memory: StatsMemory;
  readonly #families: MetricFamilies;
  readonly #period: AsyncDisposable | undefined;
  // Of the last periodic collection; empty when everything is collected when asked.
  readonly #containers = new Map<string, ContainerStats>();
  readonly #sandboxes = new Map<string, SandboxStats>();
  readonly #metrics = new Map<string, SandboxMetrics>();

  constructor(drivers: StatsDrivers, settings: StatsSettings) {
    this.#drivers = drivers;
    this.#memory = {
      rates: new CpuRates(),
      layers: new WritableLayers(drivers, settings.writableLayerRefreshMs ?? defaultLayerRefreshMs),
    };
    this.#families = familiesOf(settings.includedPodMetrics);
    const periodMs = settings.collectionPeriodSeconds * 1000;
    this.#period = periodMs > 0 ? periodically(periodMs, () => this.#collectAll()) : undefined;
  }

  async container(id: string): Promise<ContainerStats> {
    const container = this.#drivers.containers.index.get(id);
    const stats = await this.#statsOf(container);
    if (stats.writableLayer !== undefined) return stats;
    await this.#firstMeasurement(container);
    return { ...stats, writableLayer: this.#memory.layers.usage(container) };
  }

  async listContainers(filter: EntityFilter & { sandboxId?: string }): Promise<ContainerStats[]> {
    const { index } = this.#drivers.containers;
    const asked = index
      .all()
      .filter(
        (container) =>
          isLive(container) && container.sandboxId.startsWith(filter.sandboxId ?? "") && fitsFilter(container, filter),
      );
    return this.#each(asked, (container) => this.#statsOf(container), index);
  }

  sandbox(id: string): Promise<SandboxStats> {
    return this.#statsOfSandbox(this.#drivers.sandboxes.index.get(id));
  }

  async listSandboxes(filter: EntityFilter): Promise<SandboxStats[]> {
    const { index } = this.#drivers.sandboxes;
    const asked = index.all().filter((sandbox) => isReady(sandbox) && fitsFilter(sandbox, filter));
    return this.#each(asked, (sandbox) => this.#statsOfSandbox(sandbox), index);
  }

  metricDescriptors(): readonly MetricDescriptor[] {
    return descriptorsOf(this.#families);
  }

  async listMetrics(): Promise<SandboxMetrics[]> {
    const { index } = this.#drivers.sandboxes;
    return this.#each(index.all().filter(isReady), async (sandbox) => this.#metricsOf(sandbox), index);
  }

  forget(id: string): void {
    this.#memory.rates.forget(id);
    this.#memory.layers.forget(id);
    for (const collected of [this.#containers, this.#sandboxes, this.#metrics]) collected.delete(id);
  }

  async close(): Promise<void> {
    await this.#period?.[Symbol.asyncDispose]();
  }

  async #statsOf(container: Container): Promise<ContainerStats> {
    const collected = isLive(container) ? this.#containers.get(container.id) : undefined;
    return collected ?? collectContainer(this.#drivers, this.#memory, container);
  }

  async #statsOfSandbox(sandbox: Sandbox): Promise<SandboxStats> {
    const collected = isReady(sandbox) ? this.#sandboxes.get(sandbox.id) : undefined;
    return collected ?? collectSandbox(this.#drivers, this.#memory, sandbox);
  }

  async #metricsOf(sandbox: Sandbox): Promise<SandboxMetrics> {
    return this.#metrics.get(sandbox.id) ?? this.#collectMetrics(sandbox);
  }

  #collectMetrics(sandbox: Sandbox): Promise<SandboxMetrics> {
    return collectMetrics(this.#drivers, this.#memory.layers, this.#families, sandbox);
  }

  /** In the order of `entities`. What goes away meanwhile is left out, and so, with a line in the log, is what cannot be read. */
  async #each<E extends { id: string }, R>(
    entities: readonly E[],
    collect: (entity: E) => Promise<R>,
    index: { current(id: string): unknown },
  ): Promise<R[]> {
    const results = await inParallel(entities, parallelism, async (entity) => {
      try {
        const result = await collect(entity);
        return index.current(entity.id) === undefined ? [] : [result];
      } catch (error) {
        this.#drivers.logger.warn("cannot read the usage of a pod or container", { id: entity.id, error });
        return [];
      }
    });
    return results.flat();
  }

  async #firstMeasurement(container: Container): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, firstMeasurementMs);
    await Promise.race([this.#memory.layers.measure(container), late]);
    clearTimeout(timer);
  }

  async #collectAll(): Promise<void> {
    const { index } = this.#drivers.sandboxes;
    const ready = index.all().filter(isReady);
    const stats = await this.#each(ready, (one) => collectSandbox(this.#drivers, this.#memory, one), index);
    const metrics = await this.#each(ready, (one) => this.#collectMetrics(one), index);
    replaceAll(
      this.#sandboxes,
      stats.map((one) => [one.sandbox.id, one]),
    );
    replaceAll(
      this.#containers,
      stats.flatMap(({ containers }) => containers.map((one) => [one.container.id, one])),
    );
    replaceAll(
      this.#metrics,
      metrics.map((one) => [one.sandboxId, one]),
    );
  }
}

function replaceAll<T>(map: Map<string, T>, entries: readonly [string, T][]): void {
  map.clear();
  for (const [id, value] of entries) map.set(id, value);
}
