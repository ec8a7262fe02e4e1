export type { ConfigWarning } from "./assignment.ts";
export { defaultConfig } from "./default-config.ts";
export { type FlagDefinition, flagDefinitions, type FlagValues } from "./flags.ts";
export {
  type ConfigSources,
  defaultConfigDirectory,
  defaultConfigFile,
  loadConfig,
  type LoadedConfig,
} from "./load-config.ts";
export type { Config, RuntimeHandlerConfig, WorkloadConfig } from "./options.ts";
export { type NamespaceKind, type Paths, pathsOf } from "./paths.ts";
export { type OptionChange, reload, type Reload } from "./reload.ts";
export { renderToml } from "./render-toml.ts";
export { resolveRuntimeHandlers, type RuntimeHandler } from "./runtime-handlers.ts";
