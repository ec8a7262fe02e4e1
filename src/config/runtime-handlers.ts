import type { Config, RuntimeHandlerConfig } from "./options.ts";
import { pathsOf } from "./paths.ts";

/** A runtime handler with everything filled in that the configuration leaves to other options. */
export interface RuntimeHandler extends RuntimeHandlerConfig {
  readonly name: string;
  /** Path of the OCI runtime, or a name to look up in PATH. */
  readonly runtimePath: string;
  readonly runtimeRoot: string;
  /** Path of conmon, or `conmon` to look up in PATH. */
  readonly monitorPath: string;
}

/** Where systemd's monitors are; configurations for CRI-O may name it without systemd too. */
const defaultSlice = "system.slice";

/** What RuntimeClass handlers stand for: by name, with the key "" for the default handler. */
export function resolveRuntimeHandlers(config: Config): ReadonlyMap<string, RuntimeHandler> {
  const handlers = new Map<string, RuntimeHandler>();
  const defaultName = config.runtime.defaultRuntime;
  for (const [name, written] of config.runtime.runtimes) handlers.set(name, resolve(config, name, written));
  const defaultHandler = handlers.get(defaultName);
  if (defaultHandler !== undefined) handlers.set("", defaultHandler);
  return handlers;
}

function resolve(config: Config, name: string, written: RuntimeHandlerConfig): RuntimeHandler {
  const heir = written.inheritDefaultRuntime ? config.runtime.runtimes.get(config.runtime.defaultRuntime) : undefined;
  const handler = heir === undefined ? written : inherit(written, heir);
  const program = heir === undefined ? name : config.runtime.defaultRuntime;
  return {
    ...handler,
    name,
    runtimePath: handler.runtimePath || program,
    runtimeRoot: handler.runtimeRoot || pathsOf(config).runtimeRoot(program),
    // Where they are set, the deprecated options for all handlers win, as they do for CRI-O.
    monitorPath: config.runtime.conmon || handler.monitorPath || "conmon",
    monitorCgroup: monitorCgroup(config, config.runtime.conmonCgroup || handler.monitorCgroup),
    monitorEnv: config.runtime.conmonEnv.length > 0 ? config.runtime.conmonEnv : handler.monitorEnv,
  };
}

function inherit(heir: RuntimeHandlerConfig, from: RuntimeHandlerConfig): RuntimeHandlerConfig {
  return {
    ...heir,
    runtimePath: from.runtimePath,
    runtimeType: from.runtimeType,
    runtimeRoot: from.runtimeRoot,
    runtimeConfigPath: from.runtimeConfigPath,
    monitorPath: from.monitorPath,
    monitorCgroup: from.monitorCgroup,
    monitorEnv: from.monitorEnv,
  };
}

/** With systemd a monitor gets a scope, in system.slice by default; without, where there are no slices, it stays with its pod. */
function monitorCgroup(config: Config, chosen: string): string {
  if (config.runtime.cgroupManager === "systemd") return chosen || defaultSlice;
  return chosen === "" || chosen === defaultSlice ? "pod" : chosen;
}
