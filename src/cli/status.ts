import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { type FlagValues, loadConfig } from "#config/index.ts";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import { request } from "#lib/node-http.ts";
import { parseFlags } from "./flag-parser.ts";
import { configSources } from "./global-flags.ts";

/**
 * `berth status [-s SOCKET] [info|config|containers -i ID]`: CRI-O's questions to a running daemon, answered by HTTP on its
 * CRI socket: how it stores and runs containers, its configuration, or all about one container.
 */
export async function status(global: FlagValues, argv: readonly string[]): Promise<number> {
  const leading = parseFlags(argv, [socketFlag]);
  const [word = "info", ...rest] = leading.rest;
  const socket = await socketOf(global, leading.values);
  switch (word) {
    case "info":
    case "i":
      return print(readable(await ask(socket, "/info")));
    case "config":
    case "c":
      return print(await ask(socket, "/config"));
    case "containers":
    case "container":
    case "cs":
    case "s": {
      const { values } = parseFlags(rest, [{ names: ["id"], short: "i", isBoolean: false }]);
      const id = values.get("id")?.at(-1);
      if (id === undefined) throw new DomainError("invalid-argument", "berth status containers needs --id");
      return print(readable(await ask(socket, `/containers/${encodeURIComponent(id)}`)));
    }
    default:
      throw new DomainError("invalid-argument", `unknown question ${JSON.stringify(word)}; see berth help`);
  }
}

export const socketFlag = { names: ["socket"], short: "s", isBoolean: false };

/** The socket that was named, or the one that the configuration names. */
async function socketOf(global: FlagValues, own: FlagValues): Promise<string> {
  const named = own.get("socket")?.at(-1);
  if (named !== undefined) return named;
  const { config } = await loadConfig(configSources(global, process.env));
  return config.api.listen;
}

async function ask(socketPath: string, url: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const sent = request({ socketPath, path: url, agent: false }, resolve);
  sent.on("error", (cause) =>
    reject(new DomainError("unavailable", `nobody answers on ${socketPath}: ${messageOf(cause)}`, { cause })),
  );
  sent.end();
  const response = await promise;
  const body = await text(response);
  if (response.statusCode === 200) return body;
  throw new DomainError(response.statusCode === 404 ? "not-found" : "internal", body.trim());
}

function print(answer: string): number {
  process.stdout.write(answer);
  return 0;
}

/** A line for each fact of a JSON object, its key in words; what is nested follows indented. */
export function readable(json: string): string {
  return lines(JSON.parse(json), "").join("");
}

function lines(value: unknown, indent: string): string[] {
  if (typeof value !== "object" || value === null) return [`${indent}${String(value)}\n`];
  if (Array.isArray(value)) return value.flatMap((item) => lines(item, indent));
  return Object.entries(value).flatMap(([key, item]) => {
    const name = indent === "" ? key.replaceAll("_", " ") : key;
    return typeof item === "object" && item !== null
      ? [`${indent}${name}:\n`, ...lines(item, `${indent}  `)]
      : [`${indent}${name}: ${String(item)}\n`];
  });
}
