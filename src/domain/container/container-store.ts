import { EntityIndex } from "#domain/entity/entity-index.ts";
import { EntityStore } from "#domain/entity/entity-store.ts";
import type { Records } from "#drivers/records/index.ts";
import type { Container } from "./container.ts";
import { containerName } from "./container.ts";

/** All containers, in memory and on disk. */
export class ContainerStore extends EntityStore<Container, ContainerIndex> {
  constructor(records: Records<Container>) {
    super(records, new ContainerIndex());
  }
}

/** Containers by their sandbox, too. */
class ContainerIndex extends EntityIndex<Container> {
  readonly #bySandbox = new Map<string, Set<string>>();

  constructor() {
    super("container", (container) => containerName(container.sandboxId, container.request));
  }

  override set(container: Container): void {
    super.set(container);
    const siblings = this.#bySandbox.get(container.sandboxId) ?? new Set();
    this.#bySandbox.set(container.sandboxId, siblings.add(container.id));
  }

  override delete(id: string): void {
    const sandboxId = this.current(id)?.sandboxId;
    super.delete(id);
    if (sandboxId === undefined) return;
    const siblings = this.#bySandbox.get(sandboxId);
    siblings?.delete(id);
    if (siblings?.size === 0) this.#bySandbox.delete(sandboxId);
  }

  /** The containers of one sandbox, without looking at any other. */
  ofSandbox(sandboxId: string): Container[] {
    return [...(this.#bySandbox.get(sandboxId) ?? [])].flatMap((id) => this.current(id) ?? []);
  }
}
