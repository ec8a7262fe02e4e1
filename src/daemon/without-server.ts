import { type Config, pathsOf } from "#config/index.ts";
import type { Runtime } from "#domain/runtime.ts";
import { adoptOrphans } from "#kernel/child-exits.ts";
import type { Logger } from "#observability/logger.ts";
import { openDomain } from "./open-domain.ts";

/** The domain in a process that serves nobody, for work while no daemon runs. */
export interface WithoutServer extends AsyncDisposable {
  runtime: Runtime;
}

/** @throws DomainError failed-precondition when a daemon has the storage open */
export async function openWithoutServer(config: Config, logger: Logger): Promise<WithoutServer> {
  adoptOrphans();
  await using undo = new AsyncDisposableStack();
  const { domain, afterwards } = await openDomain(() => config, pathsOf(config), logger, undo);
  await afterwards();
  const owned = undo.move();
  return { runtime: domain.runtime, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
