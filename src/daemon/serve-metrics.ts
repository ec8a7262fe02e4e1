import type { Config } from "#config/index.ts";
import type { Runtime } from "#domain/runtime.ts";
import { countDefunctProcesses } from "#drivers/processes/defunct.ts";
import { serveMetrics } from "#http-api/metrics-server.ts";
import type { TlsFiles } from "#lib/tls-files.ts";
import { EventLoopDelay } from "#observability/event-loop-delay.ts";
import type { Logger } from "#observability/logger.ts";
import type { RuntimeMetrics } from "#observability/metric-names.ts";
import { makeSelfSigned } from "./self-signed.ts";
import { tlsLimits } from "./tls-limits.ts";

/** Serves the metrics where `[crio.metrics]` says, if it says so. What has to be looked up is looked up at each scrape. */
export async function serveDaemonMetrics(
  { api, metrics: settings }: Config,
  metrics: RuntimeMetrics,
  runtime: Pick<Runtime, "sandboxes" | "containers">,
  logger: Logger,
  undo: AsyncDisposableStack,
): Promise<void> {
  if (!settings.enableMetrics) return;
  const tls = tlsFiles(settings, api);
  if (tls !== undefined) await makeSelfSigned(tls, logger);
  const delay = new EventLoopDelay();
  undo.use(delay);
  const server = await serveMetrics({
    host: settings.metricsHost,
    port: settings.metricsPort,
    socketPath: settings.metricsSocket === "" ? undefined : settings.metricsSocket,
    tls,
    async render() {
      metrics.processesDefunct.set({}, await countDefunctProcesses());
      sampleDelay(metrics, delay);
      countEntities(metrics, runtime);
      return metrics.render();
    },
    logger,
  });
  undo.defer(() => server.close());
}

/** One of the two files alone is as good as none, as in CRI-O. */
function tlsFiles({ metricsCert, metricsKey }: Config["metrics"], api: Config["api"]): TlsFiles | undefined {
  if (metricsCert === "" || metricsKey === "") return undefined;
  return { certPath: metricsCert, keyPath: metricsKey, ...tlsLimits(api) };
}

function sampleDelay({ own }: RuntimeMetrics, delay: EventLoopDelay): void {
  const { median, p99, max } = delay.take();
  own.eventLoopDelaySeconds.set({ quantile: "0.5" }, median);
  own.eventLoopDelaySeconds.set({ quantile: "0.99" }, p99);
  own.eventLoopDelaySeconds.set({ quantile: "1" }, max);
}

function countEntities({ own }: RuntimeMetrics, runtime: Pick<Runtime, "sandboxes" | "containers">): void {
  const pods = runtime.sandboxes
    .list({ labels: {} })
    .map(({ state }) => (state.kind === "ready" ? "ready" : "notready"));
  for (const state of ["ready", "notready"]) own.pods.set({ state }, pods.filter((one) => one === state).length);
  const containers = runtime.containers.list({ labels: {} }).map(({ state }) => state.kind);
  for (const state of ["created", "running", "exited"])
    own.containers.set({ state }, containers.filter((one) => one === state).length);
}
