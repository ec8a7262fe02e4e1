import { DomainError } from "#errors/domain-error.ts";
import { containerName, isLive } from "#domain/container/container.ts";
import type { Container } from "#domain/container/container.ts";
import { createContainer } from "#domain/container/create-container.ts";
import { execSync } from "#domain/container/exec-sync.ts";
import type { ContainerRequest } from "#domain/container/request.ts";
import { discardContainer } from "#domain/container/remove-container.ts";
import { pauseContainer, unpauseContainer } from "#domain/container/pause-container.ts";
import { startContainer } from "#domain/container/start-container.ts";
import { updateContainerResources } from "#domain/container/update-container.ts";
import type { Containers, EntityFilter, ExecResult } from "#domain/runtime.ts";
import type { LinuxResources, SandboxRequest } from "#domain/sandbox/request.ts";
import { KeyedMutex } from "#lib/keyed-mutex.ts";
import { SingleFlight } from "#lib/single-flight.ts";
import { removeOne } from "./end-pod.ts";
import { fitsAll, fitsFilter } from "./filter.ts";
import { isMade, MadeEntities } from "./made-entities.ts";
import type { PodDrivers } from "./pod-drivers.ts";

/** CRI states by ours. */
const criState = {
  creating: "unknown",
  created: "created",
  running: "running",
  exited: "exited",
  removing: "exited",
} as const;

/** Containers as the edges see them. Starting and removing one container exclude each other; stopping waits for nobody. */
export class ContainerService implements Containers {
  readonly #drivers: PodDrivers;
  readonly #creations = new SingleFlight<string, string>();
  readonly #locks = new KeyedMutex<string>();
  readonly #updates = new KeyedMutex<string>();
  readonly #made: MadeEntities<Container>;

  constructor(drivers: PodDrivers) {
    this.#drivers = drivers;
    this.#made = new MadeEntities(this.#index);
  }

  create(sandboxId: string, request: ContainerRequest, _sandboxRequest: SandboxRequest | undefined): Promise<string> {
    const sandbox = this.#drivers.sandbox.store.index.get(sandboxId);
    const name = containerName(sandbox.id, request);
    if (this.#creations.has(name)) this.#drivers.stalled("container creating");
    return this.#creations.run(name, async () => {
      const existing = this.#index.named(name);
      if (existing?.state.kind === "creating") await discardContainer(this.#drivers.container, existing);
      else if (existing !== undefined) return this.#repeated(existing);
      const container = await this.#drivers.creations.run(sandbox.id, () =>
        createContainer(this.#drivers.container, sandbox, request),
      );
      this.#drivers.exits.watchIfPossible(container);
      this.#drivers.container.publish("created", container);
      return container.id;
    });
  }

  /** The kubelet's retry of a call that succeeded gets what that call made. */
  #repeated(existing: Container): string {
    if (existing.state.kind === "created") return existing.id;
    throw new DomainError(
      "already-exists",
      `container ${existing.request.metadata.name} attempt ${existing.request.metadata.attempt} of sandbox ${existing.sandboxId} exists as ${existing.id}, which is ${existing.state.kind}`,
    );
  }

  async start(id: string): Promise<void> {
    const found = this.get(id);
    const { container, exits, stops } = this.#drivers;
    const start = (): Promise<void> => startContainer(container, exits, stops, this.get(found.id));
    await this.#locks.run(found.id, () => exits.starting(found.id, start));
  }

  async stop(id: string, graceSeconds: number): Promise<void> {
    const container = this.#index.find(id);
    if (container === undefined) return;
    await this.#drivers.stops.stop(container, Math.max(0, graceSeconds) * 1000);
  }

  async remove(id: string): Promise<void> {
    const found = this.#index.find(id);
    if (found === undefined) return;
    await this.#locks.run(found.id, async () => {
      const container = this.#index.current(found.id);
      if (container !== undefined) await removeOne(this.#drivers, container);
    });
  }

  get(id: string): Container {
    const container = this.#index.get(id);
    if (container.state.kind === "creating") throw new DomainError("not-found", `container ${id} is not made yet`);
    return container;
  }

  list(
    filter: EntityFilter & { sandboxId?: string; state?: "created" | "running" | "exited" | "unknown" },
  ): readonly Container[] {
    const { sandboxId, state } = filter;
    const candidates = sandboxId === undefined ? this.#made.all() : this.#ofSandbox(sandboxId);
    if (state === undefined && fitsAll(filter)) return candidates;
    return candidates.filter(
      (container) => (state === undefined || criState[container.state.kind] === state) && fitsFilter(container, filter),
    );
  }

  /** Those of the sandbox that has the id, or of all whose id begins so. */
  #ofSandbox(sandboxId: string): readonly Container[] {
    const { store, sandboxes } = this.#drivers.container;
    if (sandboxes.index.current(sandboxId) !== undefined) return store.index.ofSandbox(sandboxId).filter(isMade);
    return this.#made.all().filter((container) => container.sandboxId.startsWith(sandboxId));
  }

  async verbose(container: Container): Promise<Record<string, string>> {
    const spec = await this.#drivers.container.bundles.readFile(container.id, "config.json").catch(() => "null");
    const info = {
      sandboxID: container.sandboxId,
      pid: isLive(container) ? (container.process?.pid ?? 0) : 0,
      privileged: container.privileged,
      runtimeHandler: container.runtimeHandler,
      runtimeSpec: JSON.parse(spec) as unknown,
      ...checkpointInfo(container),
    };
    return { info: JSON.stringify(info) };
  }

  async updateResources(id: string, resources: LinuxResources): Promise<void> {
    const { id: fullId } = this.get(id);
    // One after the other, so that what is recorded last is what is in force.
    await this.#updates.run(fullId, () =>
      updateContainerResources(this.#drivers.container, this.get(fullId), resources),
    );
  }

  async reopenLog(id: string): Promise<void> {
    const container = this.get(id);
    if (container.state.kind !== "running") {
      throw new DomainError(
        "failed-precondition",
        `container ${id} is ${container.state.kind}: only the log of a running one can be reopened`,
      );
    }
    const { monitor, bundles } = this.#drivers.container;
    await monitor.reopenLog(container.id, bundles.path(container.id), container.logPath);
  }

  async pause(id: string): Promise<void> {
    const { id: fullId } = this.get(id);
    await this.#locks.run(fullId, () => pauseContainer(this.#drivers.container, this.get(fullId)));
  }

  async unpause(id: string): Promise<void> {
    const { id: fullId } = this.get(id);
    await this.#locks.run(fullId, () => unpauseContainer(this.#drivers.container, this.get(fullId)));
  }

  execSync(id: string, command: readonly string[], timeoutSeconds: number): Promise<ExecResult> {
    return execSync(this.#drivers.container, this.get(id), command, timeoutSeconds);
  }

  get #index() {
    return this.#drivers.container.store.index;
  }
}

/** As CRI-O tells it: when the last checkpoint of the container, or the one it was made from, was taken. */
function checkpointInfo({ restore, checkpointedAtNs }: Container): { checkpointedAt?: string; restored?: true } {
  const atNs = checkpointedAtNs ?? restore?.checkpointedAtNs;
  return {
    ...(atNs === undefined ? {} : { checkpointedAt: new Date(Number(BigInt(atNs) / 1_000_000n)).toISOString() }),
    ...(restore === undefined ? {} : { restored: true }),
  };
}
