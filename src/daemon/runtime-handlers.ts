import { resolveRuntimeHandlers } from "#config/index.ts";
import type { Config, RuntimeHandler } from "#config/index.ts";
import type { HandlerFeatures } from "#domain/runtime.ts";
import { commandLineRuntime } from "#drivers/oci-runtime/command-line-runtime.ts";
import { configuredRuntimes } from "#drivers/oci-runtime/configured-runtimes.ts";
import type { OciRuntimes } from "#drivers/oci-runtime/index.ts";
import { DomainError } from "#errors/domain-error.ts";
import { findProgram } from "#kernel/program-path.ts";
import type { Logger } from "#observability/logger.ts";

/** The handlers of the configuration with the programs that run them. */
export interface Handlers {
  runtimes: OciRuntimes;
  /** Settings of a handler by its own name, never "". */
  settings(handler: string): RuntimeHandler;
  /** conmon of the default handler, absolute. */
  monitorPath: string;
  env: Readonly<Record<string, string>>;
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
  const found = handlers.flatMap((handler) => {
    const path = findProgram(handler.runtimePath, searchPath(handler));
    if (path !== undefined) return [{ handler, path }];
    missing.set(handler.name, `${handler.runtimePath} is not installed`);
    return [];
  });
  const usable = new Map(found.map(({ handler }) => [handler.name, handler]));
  const defaultHandler = chooseDefault(config, usable, missing, logger);
  for (const [name, why] of missing) logger.warn("a runtime handler cannot be used", { handler: name, why });
  const runtimes = configuredRuntimes(
    found.map(({ handler, path }) =>
      commandLineRuntime({
        handler: handler.name,
        path,
        root: handler.runtimeRoot,
        systemdCgroup: config.runtime.cgroupManager === "systemd",
        env: environment(handler),
      }),
    ),
    defaultHandler.name,
    missing,
  );
  return {
    runtimes,
    features: await Promise.all(["", ...runtimes.handlers].map((name) => featuresOf(runtimes, name, logger))),
    settings: (name) => usable.get(name) ?? defaultHandler,
    monitorPath: findMonitor(defaultHandler),
    env: environment(defaultHandler),
  };
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
  usable: ReadonlyMap<string, RuntimeHandler>,
  missing: ReadonlyMap<string, string>,
  logger: Logger,
): RuntimeHandler {
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

function findMonitor(handler: RuntimeHandler): string {
  const path = findProgram(handler.monitorPath, searchPath(handler));
  if (path !== undefined) return path;
  throw new DomainError(
    "failed-precondition",
    `the monitor ${handler.monitorPath} is not installed (monitor_path of runtime handler ${handler.name})`,
  );
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
