import { setTimeout as sleep } from "node:timers/promises";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import type { Logger } from "#observability/logger.ts";
import type { ResolvedNetwork } from "./configuration.ts";
import { readConfigurationDirectory, type DirectoryContent } from "./configuration-directory.ts";
import { watchDirectory, type DirectoryWatch } from "./directory-watch.ts";
import type { NetworkStatus } from "./index.ts";
import type { PluginPrograms } from "./plugin-programs.ts";
import { isAtLeast } from "./version.ts";

const statusTimeoutMs = 10_000;
const notReadyReason = "NetworkPluginNotReady";

export interface LoadedNetworkOptions {
  networkDir: string;
  /** Name of the network to use; empty for the first usable file. */
  defaultNetwork: string;
  statusIntervalMs: number;
  /** How long a ready network stays ready while its plugins' STATUS fails. */
  statusGracePeriodMs: number;
}

/**
 * The network that pods join at the moment: kept in step with the configuration directory and the plugin directories by
 * watching them, and with the plugins' own STATUS by asking them regularly (CNI spec 1.1.0).
 */
export class LoadedNetwork {
  readonly #options: LoadedNetworkOptions;
  readonly #programs: PluginPrograms;
  readonly #logger: Logger;
  #content: DirectoryContent = { network: undefined, problems: [] };
  #status: NetworkStatus = { ready: false, reason: notReadyReason, message: "cni plugin not initialized" };
  #changed = Promise.withResolvers<void>();
  #failingSinceMs: number | undefined;
  #reloading: Promise<void> | undefined;
  #isStale = false;
  #watches: DirectoryWatch[] = [];
  #polling = new AbortController();
  #closed = false;

  constructor(options: LoadedNetworkOptions, programs: PluginPrograms, logger: Logger) {
    this.#options = options;
    this.#programs = programs;
    this.#logger = logger;
  }

  /** Starts watching, and resolves when the configuration was read once. */
  async open(): Promise<void> {
    for (const directory of new Set([this.#options.networkDir, ...this.#programs.directories])) {
      const onError = (error: unknown): void =>
        this.#logger.warn("CNI directory cannot be watched", { directory, error: messageOf(error) });
      this.#watches.push(await watchDirectory(directory, () => void this.#reload(), onError));
    }
    await this.#reload();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const watch of this.#watches) watch.close();
    this.#polling.abort();
    await this.#reloading;
  }

  status(): NetworkStatus {
    return this.#status;
  }

  /** The network as last read; undefined when there is none. */
  get network(): ResolvedNetwork | undefined {
    return this.#content.network;
  }

  /**
   * The network for a new attachment.
   * @throws DomainError unavailable when there is none
   */
  require(): ResolvedNetwork {
    const { network } = this.#content;
    if (network === undefined) throw new DomainError("unavailable", this.#status.message);
    return network;
  }

  /** Resolves when the status is ready. @throws DomainError unavailable when `signal` aborts first */
  async ready(signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<void>();
    const onAbort = (): void => aborted.resolve();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      while (!this.#status.ready) {
        if (signal.aborted) throw new DomainError("unavailable", `the network is not ready: ${this.#status.message}`);
        await Promise.race([this.#changed.promise, aborted.promise]);
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Reads the configuration; a change that comes while it is read makes it be read once more. Never rejects. */
  #reload(): Promise<void> {
    this.#isStale = true;
    this.#reloading ??= this.#reloadWhileStale().finally(() => {
      this.#reloading = undefined;
    });
    return this.#reloading;
  }

  async #reloadWhileStale(): Promise<void> {
    while (this.#isStale && !this.#closed) {
      this.#isStale = false;
      this.#polling.abort();
      const { networkDir, defaultNetwork } = this.#options;
      const content = await readConfigurationDirectory(networkDir, defaultNetwork, this.#programs);
      this.#logChange(content);
      this.#content = content;
      this.#setStatus(await this.#judge(content));
    }
    const { network } = this.#content;
    if (network === undefined || !isAtLeast(network.cniVersion, "1.1.0") || this.#closed) return;
    this.#polling = new AbortController();
    void this.#poll(this.#content, this.#polling.signal);
  }

  async #poll(content: DirectoryContent, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.#options.statusIntervalMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      const status = await this.#judge(content);
      // oxlint-disable-next-line typescript/no-unnecessary-condition -- aborted while the plugins were asked
      if (!signal.aborted) this.#setStatus(status);
    }
  }

  async #judge({ network, problems }: DirectoryContent): Promise<NetworkStatus> {
    const skipped = problems.length === 0 ? "" : `skipped ${problems.join("; ")}`;
    if (network === undefined) return notReady(joined(`cni plugin not initialized: ${this.#missing()}`, skipped));
    try {
      await this.#askStatus(network);
    } catch (error) {
      const message = joined(`cni plugin not ready: ${messageOf(error)}`, skipped);
      return this.#isInGracePeriod() ? { ready: true, reason: "", message } : notReady(message);
    }
    this.#failingSinceMs = undefined;
    return { ready: true, reason: "", message: skipped };
  }

  #isInGracePeriod(): boolean {
    this.#failingSinceMs ??= performance.now();
    return this.#status.ready && performance.now() - this.#failingSinceMs < this.#options.statusGracePeriodMs;
  }

  #missing(): string {
    const { networkDir, defaultNetwork } = this.#options;
    const about = defaultNetwork === "" ? "" : ` for network ${defaultNetwork}`;
    return `no CNI configuration file${about} in ${networkDir}. Has your network provider started?`;
  }

  async #askStatus(network: ResolvedNetwork): Promise<void> {
    if (!isAtLeast(network.cniVersion, "1.1.0")) return;
    for (const { type, fields } of network.plugins)
      await this.#programs.call({
        command: "STATUS",
        type,
        input: { ...fields, name: network.name, cniVersion: network.cniVersion },
        variables: {},
        timeoutMs: statusTimeoutMs,
        network: network.name,
      });
  }

  #setStatus(status: NetworkStatus): void {
    const isSame = status.ready === this.#status.ready && status.message === this.#status.message;
    this.#status = status;
    if (isSame) return;
    if (!status.ready) this.#logger.warn("the pod network is not ready", { reason: status.message });
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #logChange({ network, problems }: DirectoryContent): void {
    const before = this.#content;
    for (const problem of problems)
      if (!before.problems.includes(problem)) this.#logger.warn("CNI configuration file skipped", { problem });
    if (network !== undefined && JSON.stringify(network) !== JSON.stringify(before.network))
      this.#logger.info("CNI network loaded", { network: network.name, cniVersion: network.cniVersion });
  }
}

function notReady(message: string): NetworkStatus {
  return { ready: false, reason: notReadyReason, message };
}

function joined(...parts: string[]): string {
  return parts.filter((part) => part !== "").join("; ");
}
