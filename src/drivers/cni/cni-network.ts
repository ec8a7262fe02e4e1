import { stat } from "node:fs/promises";
import { DomainError, hasErrno } from "#errors/domain-error.ts";
import { run as spawnRun } from "#kernel/spawn.ts";
import { KeyedMutex } from "#lib/keyed-mutex.ts";
import { Semaphore } from "#lib/semaphore.ts";
import { silentLogger, type Logger } from "#observability/logger.ts";
import { AttachmentCache, type CachedAttachment } from "./attachment-cache.ts";
import { AttachmentCommands, type Attachment } from "./attachment.ts";
import { attachmentOf, attachmentToDelete } from "./attachment-parameters.ts";
import { formatConfiguration, type ResolvedNetwork } from "./configuration.ts";
import { collectGarbage, supportsGarbageCollection, throwAll, validAttachments } from "./garbage-collection.ts";
import { hasHostInterfaces } from "./host-interfaces.ts";
import { isIndifferentToPods } from "./indifferent-plugins.ts";
import type { Network, NetworkResult, NetworkStatus, PodNetwork } from "./index.ts";
import { LoadedNetwork } from "./loaded-network.ts";
import { OperationGate } from "./operation-gate.ts";
import type { Run } from "./plugin.ts";
import { PluginPrograms } from "./plugin-programs.ts";
import { readResult } from "./result.ts";

export interface CniOptions {
  /** Directory of configuration files; it may not exist yet. */
  networkDir: string;
  pluginDirs: readonly string[];
  /** Name of the network to use; empty for the first usable file. */
  cniDefaultNetwork?: string;
  /** Where attachments are remembered. Default /var/lib/cni/results, shared with other CNI programs. */
  cacheDir?: string;
  /** Tells our cached attachments from those of another runtime, or another instance, in the same `cacheDir`. */
  owner?: string;
  /** For all plugins of the list together. Default 5 min. */
  addTimeoutMs?: number;
  /** For all plugins of the list together. Default 1 min. */
  deleteTimeoutMs?: number;
  /** Time between two STATUS of a network of version 1.1.0. Default 5 s. */
  statusIntervalMs?: number;
  /** How long a ready network stays ready while STATUS fails. Default 0. */
  statusGracePeriodMs?: number;
}

export interface CniDependencies {
  run?: Run;
  logger?: Logger;
  /** What plugins inherit; they need PATH to find iptables and such. Default: the environment of this process. */
  environment?: Readonly<Record<string, string>>;
}

/** The pod as far as removing its attachment needs it. */
type PodIdentity = Parameters<Network["tearDown"]>[0];

// The interface name that every CRI runtime uses; the kubelet reads statistics of it.
const ifName = "eth0";
const parallelDeletes = 4;

/** Reads the configuration, starts to watch it, and gives a `Network` by CNI plugins. Close it when done. */
export async function createNetwork(options: CniOptions, dependencies: CniDependencies = {}): Promise<Network> {
  const environment = dependencies.environment ?? inheritedEnvironment();
  const logger = dependencies.logger ?? silentLogger;
  const programs = new PluginPrograms(options.pluginDirs, dependencies.run ?? spawnRun, environment, logger);
  const { networkDir, cniDefaultNetwork = "", statusIntervalMs = 5000, statusGracePeriodMs = 0 } = options;
  const loadedOptions = { networkDir, defaultNetwork: cniDefaultNetwork, statusIntervalMs, statusGracePeriodMs };
  const loaded = new LoadedNetwork(loadedOptions, programs, logger);
  const cache = new AttachmentCache(options.cacheDir ?? "/var/lib/cni/results", options.owner ?? "berth");
  await cache.sweep();
  await loaded.open();
  return new CniNetwork(loaded, programs, cache, options, logger);
}

class CniNetwork implements Network {
  readonly #loaded: LoadedNetwork;
  readonly #programs: PluginPrograms;
  readonly #cache: AttachmentCache;
  readonly #logger: Logger;
  readonly #owner: string;
  readonly #addTimeoutMs: number;
  readonly #deleteTimeoutMs: number;
  readonly #gate = new OperationGate();
  /** By pod: an entry that is being written behind an answer is not read or removed meanwhile. */
  readonly #entries = new KeyedMutex<string>();
  readonly #settingUp = new Set<string>();
  /** One set per garbage collection under way: pods whose setUp was running or began since. */
  readonly #collections = new Set<Set<string>>();

  constructor(
    loaded: LoadedNetwork,
    programs: PluginPrograms,
    cache: AttachmentCache,
    options: CniOptions,
    logger: Logger,
  ) {
    this.#loaded = loaded;
    this.#programs = programs;
    this.#cache = cache;
    this.#logger = logger;
    this.#owner = options.owner ?? "berth";
    this.#addTimeoutMs = options.addTimeoutMs ?? 300_000;
    this.#deleteTimeoutMs = options.deleteTimeoutMs ?? 60_000;
  }

  status(): NetworkStatus {
    return this.#loaded.status();
  }

  ready(signal: AbortSignal): Promise<void> {
    return this.#loaded.ready(signal);
  }

  handlesPortMappings(): boolean {
    return this.#loaded.network?.plugins.some((plugin) => plugin.capabilities.has("portMappings")) === true;
  }

  forAnyPod(): string | undefined {
    const { network } = this.#loaded;
    if (network === undefined || !this.#loaded.status().ready || !isIndifferentToPods(network)) return undefined;
    return formatConfiguration(network);
  }

  async adopt(pod: PodNetwork): Promise<boolean> {
    const { entries } = await this.#cache.find(pod.sandboxId);
    const entry = entries.find((it) => it.ifName === ifName);
    if (entry?.result === undefined || !hasHostInterfaces(entry.result)) return false;
    // Behind the answer: plugins whose attachments serve any pod do not ask whose it is, at DEL either.
    void this.#entries
      .run(pod.sandboxId, () => this.#cache.write(entry.network, attachmentOf(pod, ifName), entry.result))
      .catch((error: unknown) =>
        this.#logger.warn("whose a network attachment is cannot be written down", { sandbox: pod.sandboxId, error }),
      );
    return true;
  }

  async setUp(pod: PodNetwork): Promise<NetworkResult> {
    this.#settingUp.add(pod.sandboxId);
    for (const newcomers of this.#collections) newcomers.add(pod.sandboxId);
    try {
      return await this.#gate.shared(() => this.#attach(pod));
    } finally {
      this.#settingUp.delete(pod.sandboxId);
    }
  }

  async #attach(pod: PodNetwork): Promise<NetworkResult> {
    const network = this.#loaded.require();
    const attachment = attachmentOf(pod, ifName);
    await using undo = new AsyncDisposableStack();
    // Before ADD, so that what a crash in the middle leaves behind can still be removed.
    let entry = await this.#cache.write(network, attachment);
    undo.defer(() => this.#detach(entry, podLabel(pod)));
    const raw = await this.#commands(network, attachment, podLabel(pod), this.#addTimeoutMs).add();
    entry = { ...entry, result: raw };
    const result = readResult(raw, ifName);
    await this.#cache.write(network, attachment, raw);
    undo.move();
    return result;
  }

  tearDown(pod: PodIdentity): Promise<void> {
    return this.#gate.shared(() =>
      this.#entries.run(pod.sandboxId, async () => {
        const { entries, damaged } = await this.#cache.find(pod.sandboxId);
        for (const entry of entries) await this.#detach(entry, podLabel(pod));
        for (const file of damaged) await this.#detachDamaged(pod, file);
      }),
    );
  }

  async check(pod: PodNetwork): Promise<void> {
    const { entries } = await this.#cache.find(pod.sandboxId);
    if (entries.length === 0)
      throw new DomainError("not-found", `pod ${podLabel(pod)} has no CNI attachment`, {
        facts: { id: pod.sandboxId },
      });
    for (const entry of entries)
      await this.#commands(entry.network, entry, podLabel(pod), this.#addTimeoutMs).check(entry.result);
  }

  async gc(validSandboxIds: ReadonlySet<string>): Promise<void> {
    const newcomers = new Set(this.#settingUp);
    this.#collections.add(newcomers);
    try {
      const isStale = (id: string): boolean => !validSandboxIds.has(id) && !newcomers.has(id);
      const errors = await this.#deleteStale(isStale);
      await this.#collectGarbage(validSandboxIds, isStale).catch((error: unknown) => errors.push(error));
      throwAll("stale CNI attachments remain", errors);
    } finally {
      this.#collections.delete(newcomers);
    }
  }

  async cachedResult(sandboxId: string): Promise<NetworkResult | undefined> {
    const { entries } = await this.#cache.find(sandboxId);
    const entry = entries.find((it) => it.ifName === ifName && it.result !== undefined);
    return entry?.result && readResult(entry.result, entry.ifName);
  }

  close(): Promise<void> {
    return this.#loaded.close();
  }

  #commands(network: ResolvedNetwork, attachment: Attachment, pod: string, timeoutMs: number): AttachmentCommands {
    return new AttachmentCommands(this.#programs, network, attachment, { pod, timeoutMs });
  }

  async #detach(entry: CachedAttachment, pod: string): Promise<void> {
    await this.#commands(entry.network, entry, pod, this.#deleteTimeoutMs).delete(entry.result);
    await this.#cache.remove(entry.file);
  }

  // Power was lost while the entry was written: the configuration of today is the best guess at what made the attachment.
  async #detachDamaged(pod: PodIdentity, file: string): Promise<void> {
    const network = this.#loaded.require();
    const attachment = attachmentToDelete(pod, ifName);
    await this.#commands(network, attachment, podLabel(pod), this.#deleteTimeoutMs).delete(undefined);
    await this.#cache.remove(file);
  }

  async #deleteStale(isStale: (id: string) => boolean): Promise<unknown[]> {
    const errors: unknown[] = [];
    const { entries } = await this.#cache.all();
    const limit = new Semaphore(parallelDeletes);
    const work = entries
      .filter((entry) => isStale(entry.containerId))
      .map((entry) =>
        limit.run(async () => {
          if (!(await this.#isOurs(entry))) return;
          await this.#gate.shared(() => this.#detach(entry, cachedPodLabel(entry)));
        }),
      );
    for (const outcome of await Promise.allSettled(work))
      if (outcome.status === "rejected") errors.push(outcome.reason);
    return errors;
  }

  // What is in the cache and not stale belongs to us or, the directory being shared, to others: it stays.
  async #collectGarbage(validSandboxIds: ReadonlySet<string>, isStale: (id: string) => boolean): Promise<void> {
    const { network } = this.#loaded;
    if (network === undefined || !supportsGarbageCollection(network)) return;
    await this.#gate.exclusive(async () => {
      const { entries } = await this.#cache.all();
      const kept = entries.filter(
        (entry) => entry.networkName === network.name && !(entry.owner === this.#owner && isStale(entry.containerId)),
      );
      await collectGarbage(network, validAttachments(validSandboxIds, ifName, kept), this.#programs);
    });
  }

  // The directory is shared: an entry of another runtime is only ours to remove when its pod cannot be alive any more.
  async #isOurs(entry: CachedAttachment): Promise<boolean> {
    if (entry.owner !== undefined) return entry.owner === this.#owner;
    const { network } = this.#loaded;
    if (network === undefined || network.disableGC || network.name !== entry.networkName) return false;
    return !(await exists(entry.netns));
  }
}

function podLabel(pod: PodIdentity): string {
  return `${pod.podNamespace}/${pod.podName} (${pod.sandboxId})`;
}

function cachedPodLabel(entry: CachedAttachment): string {
  const arg = (name: string): string => entry.cniArgs.find(([key]) => key === name)?.[1] ?? "?";
  return `${arg("K8S_POD_NAMESPACE")}/${arg("K8S_POD_NAME")} (${entry.containerId})`;
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    return !hasErrno(error, "ENOENT", "ENOTDIR");
  }
}

function inheritedEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}
