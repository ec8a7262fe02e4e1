import type { Config, RuntimeHandler } from "#config/index.ts";
import type { HandlerFeatures } from "#domain/runtime.ts";
import type { ConmonProgram } from "#drivers/monitor/conmon-arguments.ts";
import type { OciRuntime, OciRuntimes } from "#drivers/oci-runtime/index.ts";
import type { Logger } from "#observability/logger.ts";
import { findHandlers, type Handlers } from "./runtime-handlers.ts";

/**
 * The handlers of a new configuration, where it has others.
 * @throws DomainError like `findHandlers`
 */
export async function changedHandlers(before: Config, next: Config, logger: Logger): Promise<Handlers | undefined> {
  const { defaultRuntime, runtimes } = before.runtime;
  const isSame = next.runtime.defaultRuntime === defaultRuntime && next.runtime.runtimes === runtimes;
  return isSame ? undefined : findHandlers(next, logger);
}

/** The handlers of the configuration as it is at the moment. What is under way ends with those it began with. */
export class CurrentHandlers implements Handlers {
  readonly runtimes: OciRuntimes;
  #current: Handlers;

  constructor(first: Handlers) {
    this.#current = first;
    this.runtimes = this.#currentRuntimes();
  }

  /** Takes over those of a new configuration. */
  exchange(next: Handlers): void {
    this.#current = next;
  }

  get features(): readonly HandlerFeatures[] {
    return this.#current.features;
  }

  settings(handler: string): RuntimeHandler {
    return this.#current.settings(handler);
  }

  monitorOf(handler: string): ConmonProgram {
    return this.#current.monitorOf(handler);
  }

  isSandboxed(handler: string): boolean {
    return this.#current.isSandboxed(handler);
  }

  #currentRuntimes(): OciRuntimes {
    const current = (): OciRuntimes => this.#current.runtimes;
    return {
      get defaultHandler(): string {
        return current().defaultHandler;
      },
      get handlers(): readonly string[] {
        return current().handlers;
      },
      forPlatform: (handler, platform): OciRuntime => current().forPlatform(handler, platform),
      get: (handler): OciRuntime => current().get(handler),
    };
  }
}
