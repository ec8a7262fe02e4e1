import type { Network } from "#drivers/cni/index.ts";
import type { Namespaces } from "#drivers/namespaces/index.ts";
import { newId } from "#lib/ids.ts";
import type { Logger } from "#observability/logger.ts";
import { bandwidthOf } from "./bandwidth.ts";
import type { SandboxRequest } from "./request.ts";
import { isNetworkSysctl, sandboxSysctls } from "./sysctls.ts";
import { requestedUserNamespace } from "./user-namespace.ts";

/** Making one costs as much as it saves: it waits until nobody has started a pod for a while. */
const quietMs = 500;

export interface StandbyDrivers {
  network: Network;
  namespaces: Namespaces;
  logger: Logger;
}

export interface StandbySettings {
  /** How many are kept ready; 0 for none. */
  count: number;
  defaultSysctls: Readonly<Record<string, string>>;
  /** How long nobody must have started a pod before one is made. */
  quietMs?: number;
}

/** A network namespace that is connected and waits for its pod. */
export interface StandbyNetwork {
  /** Identifier of the sandbox to be, which the attachment and the namespace are known by. */
  id: string;
  netns: string;
  ips: readonly string[];
  /** The network's configuration that it was made under. */
  configuration: string;
}

/**
 * Networks that are connected before their pods come, where the network's plugins do the same for any pod. They are in no record:
 * a daemon that is killed leaves them to the sweep of the next one, like everything that no pod claims.
 */
export class StandbyNetworks {
  readonly #drivers: StandbyDrivers;
  readonly #settings: StandbySettings;
  readonly #quietMs: number;
  #ready: StandbyNetwork[] = [];
  #timer: NodeJS.Timeout | undefined;
  #work: Promise<void> | undefined;
  #isOpen = false;
  #isQuiet = false;

  constructor(drivers: StandbyDrivers, settings: StandbySettings) {
    this.#drivers = drivers;
    this.#settings = settings;
    this.#quietMs = settings.quietMs ?? quietMs;
  }

  /** Begins to make them; what an earlier daemon left must have been swept. Undone by `close`. */
  open(): void {
    this.#isOpen = this.#settings.count > 0;
    this.#replenishLater();
  }

  /** Gives one away that suits the pod; it is the caller's from now on, who ends it by `discard` or as part of the sandbox. */
  take(request: SandboxRequest): StandbyNetwork | undefined {
    if (!this.#isOpen) return undefined;
    this.#replenishLater();
    if (!suits(request)) return undefined;
    const configuration = this.#drivers.network.forAnyPod();
    const index = this.#ready.findIndex((one) => one.configuration === configuration);
    return index < 0 ? undefined : this.#ready.splice(index, 1)[0];
  }

  /** Takes away those that wait, for a pod that finds no address left, also one that is being made. False when there was none. */
  async giveBack(): Promise<boolean> {
    await this.#work;
    const waiting = this.#ready.splice(0);
    await this.#discardAll(waiting);
    return waiting.length > 0;
  }

  /** Takes one away. Idempotent. */
  async discard({ id, netns }: Pick<StandbyNetwork, "id" | "netns">): Promise<void> {
    await this.#drivers.network.tearDown({ sandboxId: id, netnsPath: netns, ...nobody });
    await this.#drivers.namespaces.unpin(id);
  }

  /** Resolves when nothing is being made or taken away; for tests. */
  async settled(): Promise<void> {
    await this.#work;
  }

  /** Makes no more, and takes away those that wait. Never fails: what remains is left to the next daemon's sweep. */
  async close(): Promise<void> {
    this.#isOpen = false;
    clearTimeout(this.#timer);
    await this.#work;
    await this.#discardAll(this.#ready.splice(0));
  }

  #replenishLater(): void {
    if (!this.#isOpen) return;
    clearTimeout(this.#timer);
    this.#isQuiet = false;
    this.#timer = setTimeout(() => {
      this.#isQuiet = true;
      this.#work ??= this.#replenish().finally(() => {
        this.#work = undefined;
      });
    }, this.#quietMs).unref();
  }

  async #replenish(): Promise<void> {
    const configuration = this.#drivers.network.forAnyPod();
    await this.#discardAll(this.#takeOutdated(configuration));
    if (configuration === undefined) return;
    while (this.#isOpen && this.#isQuiet && this.#ready.length < this.#settings.count) {
      try {
        const made = await this.#make(configuration);
        this.#ready.push(made);
        this.#drivers.logger.debug("a network waits for its pod", { id: made.id, ips: made.ips });
      } catch (error) {
        // The next pod tells its caller what is wrong.
        this.#drivers.logger.debug("no network can be connected ahead of its pod", { error });
        return;
      }
    }
  }

  #takeOutdated(configuration: string | undefined): StandbyNetwork[] {
    const outdated = this.#ready.filter((one) => one.configuration !== configuration);
    this.#ready = this.#ready.filter((one) => one.configuration === configuration);
    return outdated;
  }

  async #make(configuration: string): Promise<StandbyNetwork> {
    const { network, namespaces } = this.#drivers;
    const id = newId();
    await using undo = new AsyncDisposableStack();
    const { net = "" } = await namespaces.pin(id, ["net"], { sysctls: this.#networkSysctls() });
    undo.defer(() => namespaces.unpin(id));
    const pod = { sandboxId: id, netnsPath: net, annotations: {}, portMappings: [], ...nobody };
    const { ips } = await network.setUp(pod);
    undo.move();
    return { id, netns: net, ips, configuration };
  }

  #networkSysctls(): Record<string, string> {
    const options = { network: "pod", pid: "container", ipc: "pod", targetId: "", userns: undefined } as const;
    const { sysctls } = sandboxSysctls({ defaults: this.#settings.defaultSysctls, requested: {}, options });
    return Object.fromEntries(Object.entries(sysctls).filter(([name]) => isNetworkSysctl(name)));
  }

  async #discardAll(networks: readonly StandbyNetwork[]): Promise<void> {
    const discard = (one: StandbyNetwork): Promise<void> =>
      this.discard(one).catch((error: unknown) =>
        this.#drivers.logger.warn("a network that waited for a pod cannot be taken away", { id: one.id, error }),
      );
    await Promise.all(networks.map(discard));
  }
}

/** What plugins are told while there is no pod. */
const nobody = { podName: "", podNamespace: "", podUid: "" };

/** Pods that want something of their network, or have it in a user namespace, get one that is made for them. */
function suits(request: SandboxRequest): boolean {
  const { namespaceOptions } = request.linux.securityContext;
  return (
    namespaceOptions.network === "pod" &&
    requestedUserNamespace(request) === undefined &&
    bandwidthOf(request.annotations) === undefined &&
    !request.portMappings.some((mapping) => mapping.hostPort > 0) &&
    !Object.keys(request.linux.sysctls).some(isNetworkSysctl)
  );
}
