import type { ProcessWatch } from "#drivers/processes/index.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import type { PodDrivers } from "./pod-drivers.ts";

/**
 * Watches pause processes: a pod whose shared namespaces went with theirs is not ready any more, and says so at once. Stopping it frees
 * the rest.
 */
export class InfraWatch {
  readonly #drivers: PodDrivers;
  readonly #watches = new Map<string, ProcessWatch>();

  constructor(drivers: PodDrivers) {
    this.#drivers = drivers;
  }

  /** Where nobody may watch it, the pod goes on without. */
  watch(sandbox: Sandbox): void {
    if (sandbox.infra === undefined || this.#watches.has(sandbox.id)) return;
    try {
      const watch = this.#drivers.container.processes.watch(sandbox.infra.process);
      this.#watches.set(sandbox.id, watch);
      void watch.exited.then(() => this.#ended(sandbox.id));
    } catch (error) {
      this.#drivers.logger.error("the pause process of a pod cannot be watched", { sandbox: sandbox.id, error });
    }
  }

  forget(sandboxId: string): void {
    this.#watches.get(sandboxId)?.close();
    this.#watches.delete(sandboxId);
  }

  close(): void {
    for (const watch of this.#watches.values()) watch.close();
    this.#watches.clear();
  }

  async #ended(sandboxId: string): Promise<void> {
    this.#watches.delete(sandboxId);
    const { store } = this.#drivers.sandbox;
    const sandbox = store.index.current(sandboxId);
    if (sandbox?.state.kind !== "ready") return;
    this.#drivers.logger.warn("the pause process of a pod has ended: the pod is not ready any more", {
      sandbox: sandboxId,
    });
    try {
      this.#drivers.publishSandbox("stopped", await store.transition(sandbox, { kind: "stopping" }));
    } catch (error) {
      this.#drivers.logger.error("cannot record that a pod is not ready any more", { sandbox: sandboxId, error });
    }
  }
}
