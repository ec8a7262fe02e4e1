import type { Agent } from "node:http";
import { Agent as HttpsAgent, type AgentOptions } from "node:https";
import { Agent as HttpAgent } from "#lib/node-http.ts";
import { loadHostCertificates, loadSystemAuthorities } from "./certs.ts";

export interface AgentSettings {
  /** Parents of the per-host certificate directories. */
  certsDirs: readonly string[];
  systemBundles: readonly string[];
  /** HTTPS_PROXY, HTTP_PROXY and NO_PROXY are taken from here. */
  proxyEnv: NodeJS.ProcessEnv;
}

/** How long an idle connection is kept for the next request. */
const idleTimeoutMs = 30_000;

/**
 * The connection pools: one for plain HTTP, one for verified and one for unverified TLS, and one more for each host that
 * has certificates of its own. Certificates are read when a host is first used and again after `reload`.
 */
export class HttpAgents {
  readonly #settings: AgentSettings;
  readonly #agents = new Map<string, Promise<Agent>>();
  readonly #made = new Set<Agent>();
  #systemAuthorities: Promise<string[]> | undefined;

  constructor(settings: AgentSettings) {
    this.#settings = settings;
  }

  /** The pool for `url`; `verify` false accepts every server certificate. */
  async agentFor(url: URL, verify: boolean): Promise<Agent> {
    if (url.protocol === "http:") return this.#remember("http", async () => this.#makeHttp());
    return this.#remember(`${url.host} ${verify}`, () => this.#makeForHost(url.host, verify));
  }

  /** Forgets all certificates. Requests under way go on; idle connections are closed. */
  reload(): void {
    this.#agents.clear();
    this.#systemAuthorities = undefined;
    for (const agent of this.#made)
      for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }

  /** Destroys every connection, used or idle. */
  close(): void {
    this.#agents.clear();
    for (const agent of this.#made) agent.destroy();
    this.#made.clear();
  }

  #remember(key: string, make: () => Promise<Agent>): Promise<Agent> {
    const known = this.#agents.get(key);
    if (known !== undefined) return known;
    const agent = make();
    this.#agents.set(key, agent);
    // A file that cannot be read now may be readable when the next pull asks.
    agent.catch(() => this.#agents.delete(key));
    return agent;
  }

  async #makeForHost(host: string, verify: boolean): Promise<Agent> {
    const own = await loadHostCertificates(this.#settings.certsDirs, host);
    if (own === undefined)
      return this.#remember(`* ${verify}`, async () =>
        this.#makeHttps(verify ? { ca: await this.#system() } : {}, verify),
      );
    const client = own.client === undefined ? {} : { cert: own.client.certificate, key: own.client.key };
    return this.#makeHttps({ ca: [...(await this.#system()), ...own.authorities], ...client }, verify);
  }

  #system(): Promise<string[]> {
    this.#systemAuthorities ??= loadSystemAuthorities(this.#settings.systemBundles);
    return this.#systemAuthorities;
  }

  #makeHttp(): Agent {
    return this.#keep(new HttpAgent({ keepAlive: true, timeout: idleTimeoutMs, proxyEnv: this.#settings.proxyEnv }));
  }

  #makeHttps(tls: AgentOptions, verify: boolean): Agent {
    const { proxyEnv } = this.#settings;
    return this.#keep(
      new HttpsAgent({ ...tls, keepAlive: true, timeout: idleTimeoutMs, proxyEnv, rejectUnauthorized: verify }),
    );
  }

  #keep<T extends Agent>(agent: T): T {
    this.#made.add(agent);
    return agent;
  }
}
