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
/** Redirects may name any number of hosts; one that is forgotten is looked up again. */
const mostCommonHosts = 1000;

/**
 * The connection pools: one for plain HTTP, one for verified and one for unverified TLS, and one more for each host that
 * has certificates of its own. Certificates are read when a host is first used and again after `reload`.
 */
export class HttpAgents {
  readonly #settings: AgentSettings;
  #known = new KnownPools();
  readonly #made = new Set<Agent>();

  constructor(settings: AgentSettings) {
    this.#settings = settings;
  }

  /** The pool for `url`; `verify` false accepts every server certificate. */
  async agentFor(url: URL, verify: boolean): Promise<Agent> {
    const known = this.#known;
    if (url.protocol === "http:") return known.remember("http", async () => this.#makeHttp());
    if (known.isCommon(url.host)) return this.#common(known, verify);
    return known.remember(`${url.host} ${verify}`, () => this.#makeForHost(known, url.host, verify));
  }

  /** Forgets all certificates. Requests under way go on; idle connections are closed. */
  reload(): void {
    this.#known = new KnownPools();
    for (const agent of this.#made) {
      for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
      // One in use is kept to be destroyed by `close`, until a later reload finds it idle.
      if (Object.keys(agent.sockets).length === 0) this.#made.delete(agent);
    }
  }

  /** Destroys every connection, used or idle. */
  close(): void {
    this.#known = new KnownPools();
    for (const agent of this.#made) agent.destroy();
    this.#made.clear();
  }

  #common(known: KnownPools, verify: boolean): Promise<Agent> {
    return known.remember(`* ${verify}`, async () =>
      this.#makeHttps(verify ? { ca: await this.#system(known) } : {}, verify),
    );
  }

  async #makeForHost(known: KnownPools, host: string, verify: boolean): Promise<Agent> {
    const own = await loadHostCertificates(this.#settings.certsDirs, host);
    if (own === undefined) {
      known.setCommon(host);
      return this.#common(known, verify);
    }
    const client = own.client === undefined ? {} : { cert: own.client.certificate, key: own.client.key };
    return this.#makeHttps({ ca: [...(await this.#system(known)), ...own.authorities], ...client }, verify);
  }

  #system(known: KnownPools): Promise<string[]> {
    known.systemAuthorities ??= loadSystemAuthorities(this.#settings.systemBundles);
    return known.systemAuthorities;
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

/** What is known until the next reload. */
class KnownPools {
  systemAuthorities: Promise<string[]> | undefined;
  readonly #agents = new Map<string, Promise<Agent>>();
  readonly #common = new Set<string>();

  remember(key: string, make: () => Promise<Agent>): Promise<Agent> {
    const known = this.#agents.get(key);
    if (known !== undefined) return known;
    const agent = make();
    this.#agents.set(key, agent);
    // A file that cannot be read now may be readable when the next pull asks.
    agent.catch(() => this.#agents.delete(key));
    return agent;
  }

  isCommon(host: string): boolean {
    return this.#common.has(host);
  }

  /** The host has no certificates of its own. */
  setCommon(host: string): void {
    for (const verify of [true, false]) this.#agents.delete(`${host} ${verify}`);
    if (this.#common.size >= mostCommonHosts) this.#common.clear();
    this.#common.add(host);
  }
}
