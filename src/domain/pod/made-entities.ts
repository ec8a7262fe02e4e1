import type { EntityIndex } from "#domain/entity/entity-index.ts";

/** Of the entities of an index those that are not half-made any more, in its order. */
export class MadeEntities<E extends { readonly id: string; readonly state: { readonly kind: string } }> {
  readonly #index: Pick<EntityIndex<E>, "all">;
  #last: { all: readonly E[]; made: readonly E[] } | undefined;

  constructor(index: Pick<EntityIndex<E>, "all">) {
    this.#index = index;
  }

  /** The same array until something changes: the kubelet asks for it each second, and what changes little is cheap to compare. */
  all(): readonly E[] {
    const all = this.#index.all();
    if (this.#last?.all !== all) this.#last = { all, made: all.filter(isMade) };
    return this.#last.made;
  }
}

export function isMade({ state }: { readonly state: { readonly kind: string } }): boolean {
  return state.kind !== "creating";
}
