import type { Config, RuntimeHandler } from "#config/index.ts";
import type { HandlerFeatures } from "#domain/runtime.ts";
import type { ConmonProgram } from "#drivers/monitor/conmon-arguments.ts";
import { configuredHandler } from "#drivers/oci-runtime/configured-runtimes.ts";
import type { OciRuntime, OciRuntimes } from "#drivers/oci-runtime/index.ts";
import type { Logger } from "#observability/logger.ts";
import { findHandlers, type Handlers } from "./runtime-handlers.ts";

/**
 * The handlers of a new configuration, where it has others: a reload keeps what has not changed as it was.
 * @throws DomainError like `findHandlers`
 */
export async function changedHandlers(before: Config, next: Config, logger: Logger): Promise<Handlers | undefined> {
  const { defaultRuntime, runtimes } = before.runtime;
  const isSame = next.runtime.defaultRuntime === defaultRuntime && next.runtime.runtimes === runtimes;
  return isSame ? undefined : findHandlers(next, logger);
}

/**
 * The handlers of the configuration as it is at the moment. Those that it has no more stay for the pods that they run, as long as this
 * process does; one that it describes anew is the new one for its pods too, as after a restart.
 */
export class CurrentHandlers implements Handlers {
  readonly runtimes: OciRuntimes;
  #current: Handlers;
  /** The last ones that had a handler, by its name. */
  readonly #gone = new Map<string, Handlers>();

  constructor(first: Handlers) {
    this.#current = first;
    this.runtimes = this.#allRuntimes();
  }

  /** Takes over those of a new configuration. */
  exchange(next: Handlers): void {
    for (const name of this.#current.runtimes.handlers) this.#gone.set(name, this.#current);
    for (const name of next.runtimes.handlers) this.#gone.delete(name);
    this.#current = next;
  }

  get features(): readonly HandlerFeatures[] {
    return this.#current.features;
  }

  check(handler: string): void {
    this.#current.check(handler);
  }

  settings(handler: string): RuntimeHandler {
    return this.#of(handler).settings(handler);
  }

  monitorOf(handler: string): ConmonProgram {
    return this.#of(handler).monitorOf(handler);
  }

  isSandboxed(handler: string): boolean {
    return this.#of(handler).isSandboxed(handler);
  }

  #of(handler: string): Handlers {
    return this.#gone.get(configuredHandler(handler)) ?? this.#current;
  }

  #allRuntimes(): OciRuntimes {
    const current = (): OciRuntimes => this.#current.runtimes;
    return {
      get defaultHandler(): string {
        return current().defaultHandler;
      },
      get handlers(): readonly string[] {
        return current().handlers;
      },
      forPlatform: (handler, platform): OciRuntime => this.#of(handler).runtimes.forPlatform(handler, platform),
      get: (handler): OciRuntime => this.#of(handler).runtimes.get(handler),
    };
  }
}
