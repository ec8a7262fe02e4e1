import { ConnectionFailure } from "./http/failure.ts";
import { sendFollowing } from "./http/redirects.ts";
import type { HttpAnswer, HttpTransport } from "./http/http-transport.ts";

/** What worked last for each insecure registry, so that only the first request tries both. */
export type SchemeMemory = Map<string, "https:" | "http:">;

export interface RegistryRequest {
  /** Begins with `/v2/`. */
  path: string;
  headers: Readonly<Record<string, string>>;
  signal: AbortSignal;
}

/**
 * Requests to one registry host. An insecure one is asked over HTTPS without verification, then, when no connection
 * comes of that, over plain HTTP; a secure one over verified HTTPS only.
 */
export class RegistryConnection {
  readonly #transport: HttpTransport;
  readonly #schemes: SchemeMemory;
  readonly #host: string;
  readonly insecure: boolean;

  /** @param registry `host[:port]`; `docker.io` is served by registry-1.docker.io */
  constructor(transport: HttpTransport, schemes: SchemeMemory, registry: string, insecure: boolean) {
    this.#transport = transport;
    this.#schemes = schemes;
    this.#host = registry === "docker.io" ? "registry-1.docker.io" : registry;
    this.insecure = insecure;
  }

  /** e.g. `https://registry.example.com:5000`; of an insecure registry the one that worked last. */
  get origin(): string {
    return `${this.#scheme()}//${this.#host}`;
  }

  /** GETs a path; redirects are followed. @returns any answer, with the URL that gave it */
  async get(request: RegistryRequest): Promise<{ answer: HttpAnswer; url: URL }> {
    const known = this.insecure ? this.#schemes.get(this.#host) : "https:";
    if (known !== undefined) return this.#send(known, request).catch((error: unknown) => this.#forget(error));
    try {
      return await this.#sendAndRemember("https:", request);
    } catch (error) {
      if (!(error instanceof ConnectionFailure)) throw error;
      return await this.#sendAndRemember("http:", request).catch((second: unknown) => {
        throw bothFailed(error, second);
      });
    }
  }

  #scheme(): "https:" | "http:" {
    return (this.insecure ? this.#schemes.get(this.#host) : undefined) ?? "https:";
  }

  async #sendAndRemember(scheme: "https:" | "http:", request: RegistryRequest) {
    const exchange = await this.#send(scheme, request);
    this.#schemes.set(this.#host, scheme);
    return exchange;
  }

  async #send(scheme: "https:" | "http:", { path, headers, signal }: RegistryRequest) {
    const url = new URL(`${scheme}//${this.#host}${path}`);
    const policy = { verify: !this.insecure, plainAllowed: this.insecure };
    return sendFollowing(this.#transport, { method: "GET", url, headers, signal, ...policy });
  }

  /** The registry may have been set up anew with the other scheme. */
  #forget(error: unknown): never {
    if (error instanceof ConnectionFailure) this.#schemes.delete(this.#host);
    throw error;
  }
}

function bothFailed(first: ConnectionFailure, second: unknown): unknown {
  if (!(second instanceof ConnectionFailure)) return second;
  const options = { reason: second.reason, transient: second.transient };
  return new ConnectionFailure(`${first.message}; ${second.message}`, {
    ...options,
    cause: new AggregateError([first, second]),
  });
}
