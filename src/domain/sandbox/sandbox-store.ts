import { EntityIndex } from "#domain/entity/entity-index.ts";
import { EntityStore } from "#domain/entity/entity-store.ts";
import type { Records } from "#drivers/records/index.ts";
import type { Sandbox, SandboxState } from "./sandbox.ts";
import { sandboxName, withState } from "./sandbox.ts";

/** All sandboxes, in memory and on disk. */
export class SandboxStore extends EntityStore<Sandbox> {
  constructor(records: Records<Sandbox>) {
    super(records, new EntityIndex("pod sandbox", (sandbox) => sandboxName(sandbox.request)));
  }

  /** Puts the sandbox into its next state. @throws DomainError failed-precondition */
  async transition(sandbox: Sandbox, state: SandboxState): Promise<Sandbox> {
    return this.put(withState(sandbox, state));
  }
}
