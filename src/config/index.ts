export { defaultConfig } from "./default-config.ts";
export type { Config, RuntimeHandlerConfig, WorkloadConfig } from "./options.ts";
export { type NamespaceKind, type Paths, pathsOf } from "./paths.ts";
export { containerCreateTimeoutMs, resolveRuntimeHandlers, type RuntimeHandler } from "./runtime-handlers.ts";
