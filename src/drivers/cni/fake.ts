import { DomainError } from "#errors/domain-error.ts";
import type { Network, NetworkResult, NetworkStatus, PodNetwork } from "./index.ts";

type Operation = "setUp" | "adopt" | "tearDown" | "check" | "gc";
type PodIdentity = Parameters<Network["tearDown"]>[0];

/**
 * A network in memory for domain tests, always ready: hands out 10.88.x.y, remembers who is attached, and fails on demand. `calls` holds
 * `<operation> <sandbox id>` in order.
 */
export class FakeNetwork implements Network {
  readonly calls: string[] = [];
  /** Sandbox id → what was asked for and given, for pods attached at the moment. */
  readonly attached = new Map<string, { pod: PodNetwork; result: NetworkResult }>();
  /** Whether `handlesPortMappings`. */
  portMappings = true;
  /** What `forAnyPod` says. */
  configuration: string | undefined;
  /** Holds each `setUp` back, once it is among the calls, until that is resolved. */
  setUpWaitsFor: Promise<void> | undefined;
  #failures: { operation: Operation; error: Error }[] = [];
  #count = 0;

  /** The next call of `operation` rejects with `error` and changes nothing. */
  failNext(operation: Operation, error: Error): void {
    this.#failures.push({ operation, error });
  }

  status(): NetworkStatus {
    return { ready: true, reason: "", message: "" };
  }

  async ready(): Promise<void> {}

  async setUp(pod: PodNetwork): Promise<NetworkResult> {
    this.#enter("setUp", pod.sandboxId);
    await this.setUpWaitsFor;
    this.#count += 1;
    const ip = `10.88.${this.#count >> 8}.${this.#count & 255}`;
    const result: NetworkResult = { ips: [ip], interfaceName: "eth0", mac: "02:00:00:00:00:01", raw: {} };
    this.attached.set(pod.sandboxId, { pod, result });
    return result;
  }

  async tearDown(pod: PodIdentity): Promise<void> {
    this.#enter("tearDown", pod.sandboxId);
    this.attached.delete(pod.sandboxId);
  }

  async check(pod: PodNetwork): Promise<void> {
    this.#enter("check", pod.sandboxId);
    if (!this.attached.has(pod.sandboxId))
      throw new DomainError("not-found", `pod ${pod.podNamespace}/${pod.podName} has no CNI attachment`);
  }

  async gc(validSandboxIds: ReadonlySet<string>): Promise<void> {
    this.#enter("gc", [...validSandboxIds].sort().join(","));
    for (const id of this.attached.keys()) if (!validSandboxIds.has(id)) this.attached.delete(id);
  }

  forAnyPod(): string | undefined {
    return this.configuration;
  }

  async adopt(pod: PodNetwork): Promise<boolean> {
    this.#enter("adopt", pod.sandboxId);
    const attached = this.attached.get(pod.sandboxId);
    if (attached === undefined) return false;
    this.attached.set(pod.sandboxId, { ...attached, pod });
    return true;
  }

  handlesPortMappings(): boolean {
    return this.portMappings;
  }

  async cachedResult(sandboxId: string): Promise<NetworkResult | undefined> {
    return this.attached.get(sandboxId)?.result;
  }

  async close(): Promise<void> {}

  #enter(operation: Operation, about: string): void {
    this.calls.push(`${operation} ${about}`);
    const index = this.#failures.findIndex((failure) => failure.operation === operation);
    const [failure] = index < 0 ? [] : this.#failures.splice(index, 1);
    if (failure !== undefined) throw failure.error;
  }
}
