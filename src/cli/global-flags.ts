import {
  type ConfigSources,
  defaultConfigDirectory,
  defaultConfigFile,
  flagDefinitions,
  type FlagValues,
} from "#config/index.ts";
import { DomainError } from "#errors/domain-error.ts";
import type { LogFormat } from "#observability/create-logger.ts";
import type { KnownFlag } from "./flag-parser.ts";

export interface GlobalFlag extends KnownFlag {
  description: string;
}

const ownFlags: readonly GlobalFlag[] = [
  {
    names: ["config"],
    short: "c",
    isBoolean: false,
    description: `Configuration file; "" for none. Default: ${defaultConfigFile}.`,
  },
  {
    names: ["config-dir"],
    short: "d",
    isBoolean: false,
    description: `Directory of files that add to it; "" for none. Default: ${defaultConfigDirectory}.`,
  },
  { names: ["log"], short: undefined, isBoolean: false, description: "File to log to instead of stderr." },
  { names: ["log-format"], short: undefined, isBoolean: false, description: "Format of the log: text or json." },
  { names: ["help"], short: "h", isBoolean: true, description: "Shows the help." },
  { names: ["version"], short: "v", isBoolean: true, description: "Prints the version." },
];

/** Flags of CRI-O that have no meaning in berth, so that a unit file written for CRI-O still starts it. */
const toleratedFlags: readonly GlobalFlag[] = [
  ["profile", true],
  ["profile-port", false],
  ["profile-cpu", false],
  ["profile-mem", false],
  ["enable-profile-unix-socket", true],
].map(([name, isBoolean]) => ({
  names: [String(name)],
  short: undefined,
  isBoolean: isBoolean === true,
  description: "Taken for compatibility with CRI-O; has no effect.",
}));

/** Flags that stand before the subcommand, or after `serve` and `config`. */
export function globalFlags(): {
  own: readonly GlobalFlag[];
  options: readonly GlobalFlag[];
  all: readonly KnownFlag[];
} {
  const options = flagDefinitions();
  return { own: ownFlags, options, all: [...ownFlags, ...toleratedFlags, ...options] };
}

/** Which of CRI-O's flags without meaning were given. */
export function toleratedOf(values: FlagValues): string[] {
  return toleratedFlags.flatMap(({ names }) => names.filter((name) => values.has(name)));
}

/** Where the configuration comes from according to flags and environment. */
export function configSources(values: FlagValues, environment: NodeJS.ProcessEnv): ConfigSources {
  const file = last(values, "config") ?? environment["CONTAINER_CONFIG"];
  const directory = last(values, "config-dir") ?? environment["CONTAINER_CONFIG_DIR"];
  return {
    file: file ?? defaultConfigFile,
    fileIsRequired: file !== undefined && file !== "",
    directory: directory ?? defaultConfigDirectory,
    environment,
    flags: values,
  };
}

/** Where the daemon logs to; undefined is stderr. @throws DomainError invalid-argument */
export function logTarget(
  values: FlagValues,
  environment: NodeJS.ProcessEnv,
): { file: string | undefined; format: LogFormat } {
  const format = last(values, "log-format") ?? environment["CONTAINER_LOG_FORMAT"] ?? "text";
  if (format !== "text" && format !== "json") {
    throw new DomainError(
      "invalid-argument",
      `flag --log-format must be text or json, found ${JSON.stringify(format)}`,
    );
  }
  const file = last(values, "log") ?? environment["CONTAINER_LOG"];
  return { file: file === "" ? undefined : file, format };
}

function last(values: FlagValues, name: string): string | undefined {
  return values.get(name)?.at(-1);
}
