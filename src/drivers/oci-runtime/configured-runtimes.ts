import { DomainError } from "#errors/domain-error.ts";
import type { OciRuntime, OciRuntimes } from "./index.ts";

/** The runtimes that were found, and why the others were not: a handler without a program is named when it is asked for. */
export function configuredRuntimes(
  runtimes: readonly OciRuntime[],
  defaultHandler: string,
  missing: ReadonlyMap<string, string>,
): OciRuntimes {
  const byHandler = new Map(runtimes.map((runtime) => [runtime.handler, runtime]));
  return {
    defaultHandler,
    handlers: [...byHandler.keys()],
    get(handler) {
      const wanted = handler === "" ? defaultHandler : handler;
      const runtime = byHandler.get(wanted);
      if (runtime !== undefined) return runtime;
      const why = missing.get(wanted);
      if (why !== undefined)
        throw new DomainError("failed-precondition", `runtime handler "${wanted}" cannot be used: ${why}`);
      throw new DomainError(
        "invalid-argument",
        `no runtime handler "${wanted}" is configured; there are ${[...byHandler.keys()].join(", ")}`,
      );
    },
  };
}
