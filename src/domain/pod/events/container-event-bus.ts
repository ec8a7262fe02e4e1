import type { ContainerEventType } from "#domain/container/container-drivers.ts";
import type { ContainerStore } from "#domain/container/container-store.ts";
import type { Container } from "#domain/container/container.ts";
import type { ContainerEvent, Events } from "#domain/runtime.ts";
import type { SandboxStore } from "#domain/sandbox/sandbox-store.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import { nowNs } from "#lib/clock.ts";
import { EventQueue } from "./event-queue.ts";
import { RecentEvents } from "./recent-events.ts";

/** How long events are kept for late subscribers: the kubelet lists everything anew at this interval when it follows events. */
const historyMs = 5 * 60_000;
/** Events that one subscriber may be behind. */
const queueCapacity = 1000;

/** Where the state comes from that events carry. */
export interface EventSources {
  sandboxes: Pick<SandboxStore, "index">;
  containers: Pick<ContainerStore, "index">;
}

export interface EventSettings {
  /** False: nothing is published, and who subscribes is sent away at once (`enable_pod_events`). */
  enabled: boolean;
  /** Events kept for subscribers that come late; 0 keeps none. */
  history: number;
  /** Called for each event that a subscriber loses because it reads too slowly. */
  onDropped?: () => void;
}

/** Makes the bus that the domain publishes to and the edge reads from. */
export function createEvents(sources: EventSources, settings: EventSettings): ContainerEventBus {
  return new ContainerEventBus(sources, settings);
}

/**
 * Tells subscribers what happens to containers and sandboxes; a sandbox counts as a container with the sandbox's id, as kubelets
 * expect. Every event carries the pod as it was at that moment. Publishing never waits and never fails.
 */
export class ContainerEventBus implements Events {
  readonly #sources: EventSources;
  readonly #settings: EventSettings;
  readonly #recent: RecentEvents;
  readonly #queues = new Set<EventQueue<ContainerEvent>>();

  constructor(sources: EventSources, settings: EventSettings) {
    this.#sources = sources;
    this.#settings = settings;
    this.#recent = new RecentEvents(settings.history, historyMs);
  }

  /** The container as it is after what happened; a deleted one is no more in the store. */
  publish(type: ContainerEventType, container: Container): void {
    this.#publish(type, container.id, container.sandboxId, this.#sources.sandboxes.index.current(container.sandboxId));
  }

  /** A deleted sandbox is told of as it was last: without it kubelets do not know whose event it is. */
  publishSandbox(type: ContainerEventType, sandbox: Sandbox): void {
    this.#publish(type, sandbox.id, sandbox.id, this.#sources.sandboxes.index.current(sandbox.id) ?? sandbox);
  }

  /** What has happened lately, then what happens until `signal` aborts. Bounded: a slow reader loses the oldest. */
  subscribe(signal: AbortSignal): EventQueue<ContainerEvent> {
    const leave = (): void => queue.end();
    const queue = new EventQueue<ContainerEvent>(Math.max(queueCapacity, this.#settings.history), {
      first: this.#recent.all(),
      onDropped: () => this.#settings.onDropped?.(),
      onEnd: () => {
        this.#queues.delete(queue);
        signal.removeEventListener("abort", leave);
      },
    });
    if (!this.#settings.enabled || signal.aborted) {
      queue.end();
      return queue;
    }
    this.#queues.add(queue);
    signal.addEventListener("abort", leave, { once: true });
    return queue;
  }

  #publish(type: ContainerEventType, containerId: string, sandboxId: string, sandbox: Sandbox | undefined): void {
    if (!this.#settings.enabled) return;
    const containers = this.#sources.containers.index.ofSandbox(sandboxId);
    const event: ContainerEvent = { containerId, type, createdAtNs: nowNs(), sandbox, containers };
    this.#recent.add(event);
    for (const queue of this.#queues) queue.push(event);
  }
}
