import { defaultConfig, type FlagValues, loadConfig, renderToml } from "#config/index.ts";
import { configSources } from "./global-flags.ts";

/**
 * `berth config`: prints the configuration that the daemon would use, as TOML with a description of every option.
 * With `--default`, the defaults. Warnings go to stderr.
 */
export async function printConfig(flags: FlagValues): Promise<number> {
  const { config, warnings } = flags.has("default")
    ? { config: defaultConfig(), warnings: [] }
    : await loadConfig(configSources(flags, process.env));
  for (const { message } of warnings) process.stderr.write(`berth: warning: ${message}\n`);
  process.stdout.write(renderToml(config));
  return 0;
}
