import type { Records } from "#drivers/records/index.ts";
import { EntityIndex } from "#lib/entity-index.ts";
import { KeyedMutex } from "#lib/keyed-mutex.ts";
import type { Sandbox, SandboxId, SandboxState } from "./sandbox.ts";
import { sandboxName, withState } from "./sandbox.ts";

/** All sandboxes, in memory and on disk. Disk is written first: what memory says has survived the daemon. */
export class SandboxStore {
  readonly #index = new EntityIndex<Sandbox>("pod sandbox", (sandbox) => sandboxName(sandbox.request));
  readonly #records: Records<Sandbox>;
  readonly #changing = new KeyedMutex<SandboxId>();

  constructor(records: Records<Sandbox>) {
    this.#records = records;
  }

  async put(sandbox: Sandbox): Promise<Sandbox> {
    return this.#changing.run(sandbox.id, () => this.#write(sandbox));
  }

  /** Replaces the sandbox by what `change` makes of it as it is once no other change is under way; nothing happens when it is gone. */
  async update(id: SandboxId, change: (current: Sandbox) => Sandbox): Promise<void> {
    await this.#changing.run(id, async () => {
      const current = this.#index.current(id);
      if (current !== undefined) await this.#write(change(current));
    });
  }

  /** Puts the sandbox into its next state. @throws DomainError failed-precondition */
  async transition(sandbox: Sandbox, state: SandboxState): Promise<Sandbox> {
    return this.put(withState(sandbox, state));
  }

  async delete(id: SandboxId): Promise<void> {
    await this.#changing.run(id, async () => {
      await this.#records.remove(id);
      this.#index.delete(id);
    });
  }

  /** Takes a record that was read from disk. */
  adopt(sandbox: Sandbox): void {
    this.#index.set(sandbox);
  }

  async #write(sandbox: Sandbox): Promise<Sandbox> {
    await this.#records.put(sandbox.id, sandbox);
    this.#index.set(sandbox);
    return sandbox;
  }

  get index(): Pick<EntityIndex<Sandbox>, "find" | "get" | "current" | "named" | "all"> {
    return this.#index;
  }
}
