import { flushCompileCache } from "node:module";
import { type Config, type FlagValues, loadConfig, type LoadedConfig, reload } from "#config/index.ts";
import type { Daemon, DaemonInput } from "#daemon.ts";
import { berthVersion } from "#lib/berth-version.ts";
import type { Logger } from "#observability/logger.ts";
import { type DaemonLog, openDaemonLog } from "./daemon-log.ts";
import { handleDiagnosticSignals, stopSignal } from "./daemon-signals.ts";
import { configSources, logTarget, toleratedOf } from "./global-flags.ts";
import { startedInTime } from "./started-in-time.ts";

/** How long handles that nobody closed may keep the process alive after the daemon has shut down. */
const lingerMs = 500;

/** `berth serve`: runs the daemon until SIGTERM or SIGINT. Resolves with the exit status. `start` is for tests. */
export async function serve(
  flags: FlagValues,
  start: (input: DaemonInput) => Promise<Daemon> = startRealDaemon,
): Promise<number> {
  const load = () => loadConfig(configSources(flags, process.env));
  const loaded = await load();
  const log = openDaemonLog(loaded.config, logTarget(flags, process.env));
  const { logger } = log;
  reportUnexpected(log);
  announce(logger, loaded, toleratedOf(flags));
  handleDiagnosticSignals(logger, loaded.config.crio.runroot);

  const stop = stopSignal(logger);
  const reloads = new Reloads(load, loaded.config, log);
  process.on("SIGHUP", () => void reloads.run());
  try {
    const starting = start({ config: loaded.config, logger, reload: () => reloads.run() });
    const { shutdownTimeoutMs: timeoutMs } = loaded.config.berth;
    const daemon = await startedInTime(starting, stop, timeoutMs);
    if (daemon === undefined) {
      // As after a kill: the next daemon goes on from what is on disk.
      logger.error("berth ends, as it was told, before it has started", { timeoutMs });
      return 1;
    }
    reloads.started(daemon);
    // Node writes its cache of compiled code at exit, which a daemon that is killed never reaches.
    flushCompileCache();
    const signal = await stop;
    return await shutDown(daemon, signal, loaded.config, logger);
  } catch (error) {
    logger.error("berth cannot go on", { error });
    return 1;
  } finally {
    await log.flush();
    setTimeout(() => process.exit(), lingerMs).unref();
  }
}

async function startRealDaemon(input: DaemonInput): Promise<Daemon> {
  const { startDaemon } = await import("#daemon.ts");
  return await startDaemon(input);
}

function announce(logger: Logger, { config, files, warnings }: LoadedConfig, tolerated: readonly string[]): void {
  const { root, runroot } = config.crio;
  logger.info("berth is starting", { version: berthVersion, pid: process.pid, files, root, runroot });
  for (const { message, ...fields } of warnings) logger.warn(message, fields);
  for (const name of tolerated) logger.warn(`flag --${name} has no effect in berth`);
}

async function shutDown(daemon: Daemon, signal: NodeJS.Signals, config: Config, logger: Logger): Promise<number> {
  const timeoutMs = config.berth.shutdownTimeoutMs;
  logger.info("berth is shutting down; containers run on", { signal, timeoutMs });
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), timeoutMs);
  });
  const outcome = await Promise.race([daemon.shutdown().then(() => "done" as const), tooLate]);
  clearTimeout(timer);
  if (outcome === "late") logger.error("berth did not finish in time and ends with work under way", { timeoutMs });
  else logger.info("berth has shut down");
  return outcome === "late" ? 1 : 0;
}

/** A failure that nobody handled is a bug. A rejection leaves the rest intact; after an exception nothing is certain. */
function reportUnexpected(log: DaemonLog): void {
  process.on("unhandledRejection", (error) => log.logger.error("a background failure was not handled", { error }));
  process.on("uncaughtException", (error) => void endAfter(log, error));
}

async function endAfter(log: DaemonLog, error: Error): Promise<void> {
  log.logger.error("berth ends after an unexpected failure", { error });
  await log.flush();
  process.exit(1);
}

/** Reloads one after the other, none before the daemon is there. */
class Reloads {
  private last: Promise<void>;
  private start: (daemon: Daemon) => void = () => {};
  private config: Config;
  private readonly daemon: Promise<Daemon>;
  private readonly load: () => Promise<LoadedConfig>;
  private readonly log: DaemonLog;

  constructor(load: () => Promise<LoadedConfig>, config: Config, log: DaemonLog) {
    this.load = load;
    this.config = config;
    this.log = log;
    this.daemon = new Promise((resolve) => {
      this.start = resolve;
    });
    this.last = this.daemon.then(() => {});
  }

  started(daemon: Daemon): void {
    this.start(daemon);
  }

  /** Never rejects: a configuration that does not load is logged, and the old one stays. */
  run(): Promise<void> {
    this.last = this.last
      .then(() => this.once())
      .catch((error: unknown) => {
        this.log.logger.error("configuration reload failed; the configuration stays as it was", { error });
      });
    return this.last;
  }

  private async once(): Promise<void> {
    const { logger } = this.log;
    const loaded = await this.load();
    const { config, changed, needRestart } = reload(this.config, loaded.config);
    for (const { message, ...fields } of loaded.warnings) logger.warn(message, fields);
    for (const { path } of needRestart) logger.warn(`${path} has changed, which takes effect after a restart`);
    this.log.configure(config);
    await (await this.daemon).reload(config);
    this.config = config;
    logger.info("Configuration reload completed", { changed: changed.map(({ path, after }) => `${path} = ${after}`) });
  }
}
