import path from "node:path";
import { pathsOf } from "#config/paths.ts";
import { resolveRuntimeHandlers } from "#config/index.ts";
import type { Config, RuntimeHandler } from "#config/index.ts";
import type { HandlerFeatures } from "#domain/runtime.ts";
import { commandLineRuntime } from "#drivers/oci-runtime/command-line-runtime.ts";
import type { ConmonProgram } from "#drivers/monitor/conmon-arguments.ts";
import { configuredHandler, configuredRuntimes, platformHandler } from "#drivers/oci-runtime/configured-runtimes.ts";
import type { OciRuntimes } from "#drivers/oci-runtime/index.ts";
import { DomainError } from "#errors/domain-error.ts";
import { findProgram } from "#kernel/program-path.ts";
import type { Logger } from "#observability/logger.ts";

/** The handlers of the configuration with the programs that run them. */
export interface Handlers {
  runtimes: OciRuntimes;
  /** @throws DomainError for a handler that no new pod can have, naming those there are */
  check(handler: string): void;
  /** Settings of a handler by its own name, never "". */
  settings(handler: string): RuntimeHandler;
  /** conmon as the handler wants it. */
  monitorOf(handler: string): ConmonProgram;
  /** True for runtimes whose processes are not those of the host (gVisor). False for a handler that is not known any more. */
  isSandboxed(handler: string): boolean;
  /** What the runtimes can do, the default handler first and under the name "". */
  features: readonly HandlerFeatures[];
}

/** What is used where the configuration does not choose and its default is not installed. */
const fallbackHandler = "runc";
const builtInDefault = "crun";

/**
 * Finds the programs of all handlers. A handler whose program is missing is left out with a warning.
 * @throws DomainError failed-precondition when the default handler or conmon cannot be found
 */
export async function findHandlers(config: Config, logger: Logger): Promise<Handlers> {
  const handlers = [...resolveRuntimeHandlers(config)].filter(([name]) => name !== "").map(([, handler]) => handler);
  const missing = new Map<string, string>();
  const usable = new Map<string, LocatedHandler>();
  for (const handler of handlers) {
    const located = locate(handler);
    if (typeof located === "string") missing.set(handler.name, located);
    else usable.set(handler.name, located);
  }
  const defaultHandler = chooseDefault(config, usable, missing, logger);
  for (const [name, why] of missing) logger.warn("a runtime handler cannot be used", { handler: name, why });
  const runtimes = configuredRuntimes(
    [...usable.values()].flatMap(({ handler, runtimes: programs }) =>
      [...programs].map(([name, path]) =>
        commandLineRuntime({
          handler: name,
          path,
          root: handler.runtimeRoot,
          execDirectory: pathsOf(config).execs,
          systemdCgroup: config.runtime.cgroupManager === "systemd",
          env: environment(handler),
        }),
      ),
    ),
    defaultHandler.handler.name,
    missing,
  );
  const of = (name: string): LocatedHandler => usable.get(configuredHandler(name)) ?? defaultHandler;
  return {
    runtimes,
    features: await Promise.all(["", ...runtimes.handlers].map((name) => featuresOf(runtimes, name, logger))),
    settings: (name) => of(name).handler,
    check: (name) => void runtimes.get(name),
    isSandboxed: (name) => isSandbox(usable.get(configuredHandler(name || defaultHandler.handler.name)), name),
    monitorOf: (name) => of(name).monitor,
  };
}

/** A handler whose programs are there. */
interface LocatedHandler {
  handler: RuntimeHandler;
  /** Paths of OCI runtimes: under the handler's name, and under those for platforms. */
  runtimes: ReadonlyMap<string, string>;
  monitor: ConmonProgram;
}

/** The handler with its programs, or why it cannot be used. */
function locate(handler: RuntimeHandler): LocatedHandler | string {
  const { name, runtimeType, runtimePath, monitorPath, noSyncLog } = handler;
  if (runtimeType === "vm" || runtimeType === "pod") return `berth does not run runtime_type = "${runtimeType}"`;
  const wanted = new Map([[name, runtimePath]]);
  for (const [platform, program] of handler.platformRuntimePaths) wanted.set(platformHandler(name, platform), program);
  const runtimes = new Map<string, string>();
  for (const [key, program] of wanted) {
    const path = findProgram(program, searchPath(handler));
    if (path === undefined) return `${program} is not installed`;
    runtimes.set(key, path);
  }
  const monitor = findProgram(monitorPath, searchPath(handler));
  if (monitor === undefined) return `its monitor ${monitorPath} is not installed`;
  return { handler, runtimes, monitor: { path: monitor, env: environment(handler), noSyncLog } };
}

function isSandbox(located: LocatedHandler | undefined, name: string): boolean {
  if (located === undefined) return false;
  const { handler, runtimes } = located;
  return /^(runsc|kata)/.test(path.basename(runtimes.get(name) ?? runtimes.get(handler.name) ?? ""));
}

/** Kernels since 5.12 have what both features need; whether the runtime uses it, only it can say. */
async function featuresOf(runtimes: OciRuntimes, name: string, logger: Logger): Promise<HandlerFeatures> {
  const features = await runtimes
    .get(name)
    .features()
    .catch((error: unknown) => {
      logger.warn("a runtime does not say what it can do", { handler: name, error });
      return undefined;
    });
  return {
    name,
    recursiveReadOnlyMounts: features?.mountOptions?.includes("rro") === true,
    userNamespaces: features?.linux?.mountExtensions?.idmap?.enabled === true,
  };
}

function chooseDefault(
  config: Config,
  usable: ReadonlyMap<string, LocatedHandler>,
  missing: ReadonlyMap<string, string>,
  logger: Logger,
): LocatedHandler {
  const wanted = config.runtime.defaultRuntime;
  const handler = usable.get(wanted);
  if (handler !== undefined) return handler;
  const fallback = usable.get(fallbackHandler);
  const why = missing.get(wanted) ?? "no such handler is configured";
  if (wanted !== builtInDefault || fallback === undefined) {
    throw new DomainError("failed-precondition", `default_runtime = "${wanted}" cannot be used: ${why}`);
  }
  logger.warn(`the default runtime is not installed, using ${fallbackHandler}`, { wanted, why });
  return fallback;
}

function environment(handler: RuntimeHandler): Record<string, string> {
  const entries = handler.monitorEnv.map((entry): [string, string] => {
    const at = entry.indexOf("=");
    return [entry.slice(0, at), entry.slice(at + 1)];
  });
  // CRI-O marks its children so; hooks written for it look for the mark.
  return { ...Object.fromEntries(entries), CRI_O_EXTERNAL: "1" };
}

function searchPath(handler: RuntimeHandler): string | undefined {
  return environment(handler)["PATH"];
}
