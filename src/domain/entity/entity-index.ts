import { DomainError } from "#errors/domain-error.ts";

/** Entities in memory, by id, by unique id prefix and by name. Entities are replaced, never changed in place. */
export class EntityIndex<T extends { readonly id: string }> {
  readonly #byId = new Map<string, T>();
  readonly #idByName = new Map<string, string>();
  readonly #noun: string;
  readonly #nameOf: (entity: T) => string;
  #all: readonly T[] | undefined;

  /** `noun` names the kind of entity in errors. */
  constructor(noun: string, nameOf: (entity: T) => string) {
    this.#noun = noun;
    this.#nameOf = nameOf;
  }

  set(entity: T): void {
    this.#byId.set(entity.id, entity);
    this.#idByName.set(this.#nameOf(entity), entity.id);
    this.#all = undefined;
  }

  delete(id: string): void {
    const entity = this.#byId.get(id);
    if (entity === undefined) return;
    this.#byId.delete(id);
    const name = this.#nameOf(entity);
    if (this.#idByName.get(name) === id) this.#idByName.delete(name);
    this.#all = undefined;
  }

  named(name: string): T | undefined {
    const id = this.#idByName.get(name);
    return id === undefined ? undefined : this.#byId.get(id);
  }

  /**
   * The entity with this id or unique prefix of one; undefined when there is none.
   * @throws DomainError invalid-argument when the prefix is empty or fits several
   */
  find(idOrPrefix: string): T | undefined {
    if (idOrPrefix === "") throw new DomainError("invalid-argument", `the ${this.#noun} id is empty`);
    const exact = this.#byId.get(idOrPrefix);
    if (exact !== undefined) return exact;
    const fitting = this.all().filter((entity) => entity.id.startsWith(idOrPrefix));
    if (fitting.length <= 1) return fitting[0];
    const some = fitting.slice(0, 5).map((entity) => entity.id.slice(0, idOrPrefix.length + 8));
    throw new DomainError(
      "invalid-argument",
      `the ${this.#noun} id prefix ${idOrPrefix} is ambiguous: it fits ${some.join(", ")}${fitting.length > 5 ? ", ..." : ""}`,
    );
  }

  /** @throws DomainError not-found, invalid-argument */
  get(idOrPrefix: string): T {
    const entity = this.find(idOrPrefix);
    if (entity === undefined) throw new DomainError("not-found", `there is no ${this.#noun} ${idOrPrefix}`);
    return entity;
  }

  /** The entity as it is now, given an older version of it or its full id; undefined when it was removed. */
  current(id: string): T | undefined {
    return this.#byId.get(id);
  }

  /** All in the order in which they were added first. The same array until something changes. */
  all(): readonly T[] {
    this.#all ??= [...this.#byId.values()];
    return this.#all;
  }
}
