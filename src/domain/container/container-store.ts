import type { Records } from "#drivers/records/index.ts";
import { EntityIndex } from "#lib/entity-index.ts";
import { KeyedMutex } from "#lib/keyed-mutex.ts";
import type { Container, ContainerId } from "./container.ts";
import { containerName } from "./container.ts";

/** All containers, in memory and on disk. Disk is written first: what memory says has survived the daemon. */
export class ContainerStore {
  readonly #index = new EntityIndex<Container>("container", (container) =>
    containerName(container.sandboxId, container.request),
  );
  readonly #bySandbox = new Map<string, Set<string>>();
  readonly #records: Records<Container>;
  readonly #changing = new KeyedMutex<ContainerId>();

  constructor(records: Records<Container>) {
    this.#records = records;
  }

  /**
   * Replaces the container by what `change` makes of it as it is now; one change at a time per container. Nothing happens when the
   * container is gone or `change` gives undefined. Gives the container as it is afterwards.
   */
  async update(id: ContainerId, change: (current: Container) => Container | undefined): Promise<Container | undefined> {
    return this.#changing.run(id, async () => {
      const current = this.#index.current(id);
      const next = current === undefined ? undefined : change(current);
      return next === undefined ? current : this.put(next);
    });
  }

  async put(container: Container): Promise<Container> {
    await this.#records.put(container.id, container);
    this.adopt(container);
    return container;
  }

  /** After a change that is under way; one that comes meanwhile finds it gone. */
  async delete({ id, sandboxId }: Container): Promise<void> {
    await this.#changing.run(id, async () => {
      await this.#records.remove(id);
      this.#index.delete(id);
      const siblings = this.#bySandbox.get(sandboxId);
      siblings?.delete(id);
      if (siblings?.size === 0) this.#bySandbox.delete(sandboxId);
    });
  }

  /** Takes a record that was read from disk. */
  adopt(container: Container): void {
    this.#index.set(container);
    const siblings = this.#bySandbox.get(container.sandboxId) ?? new Set();
    this.#bySandbox.set(container.sandboxId, siblings.add(container.id));
  }

  /** The containers of one sandbox, without looking at any other. */
  ofSandbox(sandboxId: string): Container[] {
    return [...(this.#bySandbox.get(sandboxId) ?? [])].flatMap((id) => this.#index.current(id) ?? []);
  }

  get index(): Pick<EntityIndex<Container>, "find" | "get" | "current" | "named" | "all"> {
    return this.#index;
  }
}
