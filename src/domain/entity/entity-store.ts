import type { Records } from "#drivers/records/index.ts";
import { KeyedMutex } from "#lib/keyed-mutex.ts";
import type { EntityIndex } from "./entity-index.ts";

/**
 * All entities of one kind, in memory and on disk. Disk is written first: what memory says has survived the daemon. Each entity changes
 * by one write at a time, in the order in which they were asked for.
 */
export class EntityStore<E extends { readonly id: string }, I extends EntityIndex<E> = EntityIndex<E>> {
  readonly #index: I;
  readonly #records: Records<E>;
  readonly #changing = new KeyedMutex<E["id"]>();

  constructor(records: Records<E>, index: I) {
    this.#records = records;
    this.#index = index;
  }

  async put(entity: E): Promise<E> {
    return this.#changing.run(entity.id, () => this.#write(entity));
  }

  /**
   * Replaces an entity by what `change` makes of it as it is once no other change is under way. Nothing happens when it is gone or `change`
   * gives undefined. Gives the entity as it is afterwards.
   */
  async update(id: E["id"], change: (current: E) => E | undefined): Promise<E | undefined> {
    return this.#changing.run(id, async () => {
      const current = this.#index.current(id);
      const next = current === undefined ? undefined : change(current);
      return next === undefined ? current : this.#write(next);
    });
  }

  /** After a change that is under way; one that comes meanwhile finds it gone. */
  async delete(id: E["id"]): Promise<void> {
    await this.#changing.run(id, async () => {
      await this.#records.remove(id);
      this.#index.delete(id);
    });
  }

  /** Takes the entity into memory alone: it was read from disk, or has what need not survive the daemon. */
  adopt(entity: E): void {
    this.#index.set(entity);
  }

  /** What memory says. */
  get index(): Omit<I, "set" | "delete"> {
    return this.#index;
  }

  async #write(entity: E): Promise<E> {
    await this.#records.put(entity.id, entity);
    this.#index.set(entity);
    return entity;
  }
}
