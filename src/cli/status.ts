import { type FlagValues, loadConfig } from "#config/index.ts";
import { DomainError } from "#errors/domain-error.ts";
import { runCtl } from "./ctl/index.ts";
import { parseFlags } from "./flag-parser.ts";
import { configSources } from "./global-flags.ts";

/**
 * `berth status [-s SOCKET] [info|config|containers -i ID]`: CRI-O's questions to a running daemon, answered by its CRI
 * socket: whether it is ready and how it is configured, or all about one container.
 */
export async function status(global: FlagValues, argv: readonly string[]): Promise<number> {
  const leading = parseFlags(argv, [socketFlag]);
  const [word = "info", ...rest] = leading.rest;
  const socket = await socketOf(global, leading.values);
  switch (word) {
    case "info":
    case "i":
    case "config":
    case "c":
      return await runCtl(["--socket", socket, "info"]);
    case "containers":
    case "container":
    case "cs":
    case "s": {
      const { values } = parseFlags(rest, [{ names: ["id"], short: "i", isBoolean: false }]);
      const id = values.get("id")?.at(-1);
      if (id === undefined) throw new DomainError("invalid-argument", "berth status containers needs --id");
      return await runCtl(["--socket", socket, "inspect", id]);
    }
    default:
      throw new DomainError("invalid-argument", `unknown question ${JSON.stringify(word)}; see berth help`);
  }
}

export const socketFlag = { names: ["socket"], short: "s", isBoolean: false };

/** The socket that was named, or the one that the configuration names. */
export async function socketOf(global: FlagValues, own: FlagValues): Promise<string> {
  const named = own.get("socket")?.at(-1);
  if (named !== undefined) return named;
  const { config } = await loadConfig(configSources(global, process.env));
  return config.api.listen;
}
