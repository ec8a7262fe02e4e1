import { DomainError } from "#errors/domain-error.ts";
import type { OciRuntime, OciRuntimes } from "./index.ts";

/** The name of a handler's runtime for one platform, `linux/arm64` say, beside the one for all others. */
export function platformHandler(handler: string, platform: string): string {
  return `${handler}@${platform}`;
}

/** The handler as the configuration names it. */
export function configuredHandler(name: string): string {
  return name.split("@")[0] ?? name;
}

/** The runtimes that were found, and why the others were not: a handler without a program is named when it is asked for. */
export function configuredRuntimes(
  runtimes: readonly OciRuntime[],
  defaultHandler: string,
  missing: ReadonlyMap<string, string>,
): OciRuntimes {
  const byHandler = new Map(runtimes.map((runtime) => [runtime.handler, runtime]));
  const names = [...byHandler.keys()].filter((name) => name === configuredHandler(name));
  return {
    defaultHandler,
    handlers: names,
    forPlatform(handler, { os, architecture }) {
      const { handler: wanted } = this.get(handler);
      return byHandler.get(platformHandler(wanted, `${os}/${architecture}`)) ?? this.get(wanted);
    },
    get(handler) {
      const wanted = handler === "" ? defaultHandler : handler;
      const runtime = byHandler.get(wanted);
      if (runtime !== undefined) return runtime;
      const why = missing.get(wanted);
      if (why !== undefined)
        throw new DomainError("failed-precondition", `runtime handler "${wanted}" cannot be used: ${why}`);
      throw new DomainError(
        "invalid-argument",
        `no runtime handler "${wanted}" is configured; there are ${names.join(", ")}`,
      );
    },
  };
}
