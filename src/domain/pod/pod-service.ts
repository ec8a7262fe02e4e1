import { DomainError } from "#errors/domain-error.ts";
import type { EntityFilter, Sandboxes } from "#domain/runtime.ts";
import { discardSandbox } from "#domain/sandbox/end-sandbox.ts";
import type { LinuxResources, SandboxRequest } from "#domain/sandbox/request.ts";
import { runSandbox } from "#domain/sandbox/run-sandbox.ts";
import { isReady, sandboxName } from "#domain/sandbox/sandbox.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import { KeyedMutex } from "#lib/keyed-mutex.ts";
import { SingleFlight } from "#lib/single-flight.ts";
import { defaultPodGraceMs, removePod, stopPod } from "./end-pod.ts";
import { fitsAll, fitsFilter } from "./filter.ts";
import { MadeEntities } from "./made-entities.ts";
import type { InfraWatch } from "./infra-watch.ts";
import type { PodDrivers } from "./pod-drivers.ts";
import { applyPodLimits } from "./pod-limits.ts";

/** Time that is kept of a StopPodSandbox deadline for what comes after the containers. */
const reservedMs = 1000;

/** Pod sandboxes as the edges see them: equal requests are joined, one pod is ended by one caller at a time. */
export class PodService implements Sandboxes {
  readonly #drivers: PodDrivers;
  readonly #infra: InfraWatch;
  readonly #runs = new SingleFlight<string, string>();
  readonly #stops = new SingleFlight<string, Sandbox>();
  readonly #removals = new SingleFlight<string, void>();
  readonly #updates = new KeyedMutex<string>();
  readonly #made: MadeEntities<Sandbox>;

  constructor(drivers: PodDrivers, infra: InfraWatch) {
    this.#drivers = drivers;
    this.#infra = infra;
    this.#made = new MadeEntities(this.#index);
  }

  run(request: SandboxRequest, runtimeHandler: string): Promise<string> {
    const name = sandboxName(request);
    if (this.#runs.has(name)) this.#drivers.stalled("sandbox creating");
    return this.#runs.run(name, async () => {
      const existing = this.#index.named(name);
      if (existing !== undefined && !(await this.#discardedHalfMade(existing))) return this.#repeated(existing);
      const sandbox = await runSandbox(this.#drivers.sandbox, request, runtimeHandler);
      this.#infra.watch(sandbox);
      this.#drivers.publishSandbox("created", sandbox);
      this.#drivers.publishSandbox("started", sandbox);
      return sandbox.id;
    });
  }

  /** What a killed daemon has left half-made or half-removed, and could not undo at its start, must not block its name for ever. */
  async #discardedHalfMade(existing: Sandbox): Promise<boolean> {
    if (existing.state.kind !== "creating" && existing.state.kind !== "removing") return false;
    await this.#removals.run(existing.id, () => discardSandbox(this.#drivers.sandbox, existing));
    return true;
  }

  /** The kubelet's retry of a call that succeeded gets what that call made. */
  #repeated(existing: Sandbox): string {
    if (isReady(existing)) return existing.id;
    throw new DomainError(
      "already-exists",
      `pod ${existing.request.metadata.namespace}/${existing.request.metadata.name} attempt ${existing.request.metadata.attempt} exists as sandbox ${existing.id}, which is ${existing.state.kind}; remove it first`,
    );
  }

  async stop(id: string, deadlineMs: number | undefined): Promise<void> {
    const sandbox = this.#index.find(id);
    if (sandbox === undefined || sandbox.state.kind === "removing") return;
    const graceMs = Math.min(defaultPodGraceMs, (deadlineMs ?? Infinity) - Date.now() - reservedMs);
    this.#infra.forget(sandbox.id);
    await this.#stops.run(sandbox.id, () => stopPod(this.#drivers, this.#current(sandbox), Math.max(0, graceMs)));
  }

  async remove(id: string): Promise<void> {
    const sandbox = this.#index.find(id);
    if (sandbox === undefined) return;
    await this.#removals.run(sandbox.id, async () => {
      // A stop that is under way keeps its grace; what it leaves is removed afterwards.
      if (this.#stops.has(sandbox.id)) await this.#stops.run(sandbox.id, () => Promise.resolve(sandbox));
      this.#infra.forget(sandbox.id);
      if (this.#index.current(sandbox.id) !== undefined) await removePod(this.#drivers, this.#current(sandbox));
    });
  }

  get(id: string): Sandbox {
    const sandbox = this.#index.get(id);
    if (sandbox.state.kind === "creating") throw new DomainError("not-found", `pod sandbox ${id} is not made yet`);
    return sandbox;
  }

  list(filter: EntityFilter & { state?: "ready" | "not-ready" }): readonly Sandbox[] {
    const { state } = filter;
    if (state === undefined && fitsAll(filter)) return this.#made.all();
    return this.#made
      .all()
      .filter(
        (sandbox) => (state === undefined || isReady(sandbox) === (state === "ready")) && fitsFilter(sandbox, filter),
      );
  }

  verbose(sandbox: Sandbox): Record<string, string> {
    const info = {
      sandboxID: sandbox.id,
      pid: sandbox.infra?.process.pid ?? 0,
      runtimeHandler: sandbox.runtimeHandler,
      state: sandbox.state.kind,
      namespaces: sandbox.namespaces,
      files: sandbox.files,
      cgroupParent: sandbox.cgroupParent,
      request: sandbox.request,
    };
    return { info: JSON.stringify(info) };
  }

  async updateResources(
    id: string,
    overhead: LinuxResources | undefined,
    resources: LinuxResources | undefined,
  ): Promise<void> {
    const sandbox = this.get(id);
    // One after the other, so that what is recorded last is what is in force.
    await this.#updates.run(sandbox.id, async () => {
      const { linux } = this.#current(sandbox).request;
      const limits = { overhead: overhead ?? linux.overhead, resources: resources ?? linux.resources };
      await applyPodLimits(this.#drivers, sandbox, limits.overhead, limits.resources);
      // It may have been stopped or removed meanwhile.
      await this.#drivers.sandbox.store.update(sandbox.id, (current) => ({
        ...current,
        request: { ...current.request, linux: { ...current.request.linux, ...limits } },
      }));
    });
  }

  get #index() {
    return this.#drivers.sandbox.store.index;
  }

  #current(sandbox: Sandbox): Sandbox {
    return this.#index.current(sandbox.id) ?? sandbox;
  }
}
