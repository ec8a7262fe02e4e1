import type { Config } from "#config/index.ts";
import { DomainError } from "#errors/domain-error.ts";
import type { Logger } from "#observability/logger.ts";

/** A running daemon. */
export interface Daemon {
  /** Takes no new requests, lets those under way finish, frees what the process holds. Containers run on. */
  shutdown(): Promise<void>;
  /** Takes over the reloadable options of a new configuration. */
  reload(config: Config): Promise<void>;
}

export interface DaemonInput {
  config: Config;
  logger: Logger;
  /** Reads the configuration again, as SIGHUP does. */
  reload: () => Promise<void>;
}

/** Builds the drivers and the domain and serves the CRI. Resolves once the socket answers. */
export async function startDaemon({ config }: DaemonInput): Promise<Daemon> {
  throw new DomainError("unimplemented", `nothing serves ${config.api.listen} yet`);
}
