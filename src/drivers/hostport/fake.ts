import type { HostPortMapping, HostPorts } from "./index.ts";

/** Host ports in memory for domain tests: remembers what is open and fails on demand. */
export class FakeHostPorts implements HostPorts {
  /** Sandbox id → what is open. */
  readonly open = new Map<string, { podIps: readonly string[]; mappings: readonly HostPortMapping[] }>();
  #failures: { operation: "add" | "remove"; error: Error }[] = [];

  /** The next call of `operation` rejects with `error` and changes nothing. */
  failNext(operation: "add" | "remove", error: Error): void {
    this.#failures.push({ operation, error });
  }

  async add(sandboxId: string, podIps: readonly string[], mappings: readonly HostPortMapping[]): Promise<void> {
    this.#enter("add");
    this.open.set(sandboxId, { podIps, mappings });
  }

  async remove(sandboxId: string): Promise<void> {
    this.#enter("remove");
    this.open.delete(sandboxId);
  }

  async sweep(isValid: (sandboxId: string) => boolean): Promise<void> {
    for (const id of this.open.keys()) if (!isValid(id)) this.open.delete(id);
  }

  #enter(operation: "add" | "remove"): void {
    const index = this.#failures.findIndex((failure) => failure.operation === operation);
    const [failure] = index < 0 ? [] : this.#failures.splice(index, 1);
    if (failure !== undefined) throw failure.error;
  }
}
