import type { Records } from "#drivers/records/index.ts";
import { EntityIndex } from "#lib/entity-index.ts";
import type { Sandbox, SandboxState } from "./sandbox.ts";
import { sandboxName, withState } from "./sandbox.ts";

/** All sandboxes, in memory and on disk. Disk is written first: what memory says has survived the daemon. */
export class SandboxStore {
  readonly #index = new EntityIndex<Sandbox>("pod sandbox", (sandbox) => sandboxName(sandbox.request));
  readonly #records: Records<Sandbox>;

  constructor(records: Records<Sandbox>) {
    this.#records = records;
  }

  async put(sandbox: Sandbox): Promise<Sandbox> {
    await this.#records.put(sandbox.id, sandbox);
    this.#index.set(sandbox);
    return sandbox;
  }

  /** Puts the sandbox into its next state. @throws DomainError failed-precondition */
  async transition(sandbox: Sandbox, state: SandboxState): Promise<Sandbox> {
    return this.put(withState(sandbox, state));
  }

  async delete(id: string): Promise<void> {
    await this.#records.remove(id);
    this.#index.delete(id);
  }

  /** Takes a record that was read from disk. */
  adopt(sandbox: Sandbox): void {
    this.#index.set(sandbox);
  }

  get index(): Pick<EntityIndex<Sandbox>, "find" | "get" | "current" | "named" | "all"> {
    return this.#index;
  }
}
