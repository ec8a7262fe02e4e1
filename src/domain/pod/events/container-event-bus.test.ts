import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ContainerEvent } from "#domain/runtime.ts";
import { exampleContainer, exampleNode, exampleSandbox, exited } from "../stats/stats-example.ts";
import { createEvents } from "./container-event-bus.ts";
import type { EventSettings } from "./container-event-bus.ts";

function busOf(changes: Partial<EventSettings> = {}) {
  const node = exampleNode();
  const subscriber = new AbortController();
  const bus = createEvents(node, { enabled: true, history: 100, ...changes });
  return { ...node, bus, subscriber };
}

async function take(events: AsyncIterator<ContainerEvent>, count: number): Promise<ContainerEvent[]> {
  const taken: ContainerEvent[] = [];
  while (taken.length < count) {
    const { value, done } = await events.next();
    assert.notEqual(done, true);
    taken.push(value);
  }
  return taken;
}

const told = ({ type, containerId }: ContainerEvent): string => `${type} ${containerId}`;

describe("container events", () => {
  it("reach every subscriber in order, with the pod as it was", async () => {
    const { bus, subscriber, containers } = busOf();
    const readers = [bus.subscribe(subscriber.signal), bus.subscribe(subscriber.signal)];
    bus.publish("started", exampleContainer("a"));
    const ended = exampleContainer("a", { state: exited });
    containers.adopt(ended);
    bus.publish("stopped", ended);
    for (const reader of readers) {
      const [started, stopped] = await take(reader, 2);
      assert.ok(started !== undefined && stopped !== undefined);
      assert.deepEqual([told(started), told(stopped)], ["started a", "stopped a"]);
      assert.equal(started.sandbox?.id, "pod1");
      assert.deepEqual(
        started.containers.map(({ id, state }) => [id, state.kind]),
        [
          ["a", "running"],
          ["b", "exited"],
        ],
      );
      assert.equal(stopped.containers[0]?.state.kind, "exited");
      assert.ok(BigInt(stopped.createdAtNs) > BigInt(started.createdAtNs));
    }
  });

  it("wake a subscriber that waits", async () => {
    const { bus, subscriber } = busOf();
    const next = bus.subscribe(subscriber.signal).next();
    bus.publish("created", exampleContainer("a"));
    assert.equal((await next).value?.containerId, "a");
  });

  it("tell of sandboxes under their own ids, of a removed one as it was last", async () => {
    const { bus, subscriber, sandboxes, containers } = busOf();
    const events = bus.subscribe(subscriber.signal);
    bus.publishSandbox("created", exampleSandbox());
    await containers.delete("a");
    await containers.delete("b");
    await sandboxes.delete("pod1");
    bus.publishSandbox("deleted", exampleSandbox({ state: { kind: "stopped", stoppedAtNs: "1" } }));
    const [created, deleted] = await take(events, 2);
    assert.deepEqual([created?.containerId, created?.sandbox?.state.kind], ["pod1", "ready"]);
    assert.deepEqual([deleted?.containerId, deleted?.sandbox?.state.kind], ["pod1", "stopped"]);
    assert.deepEqual(deleted?.containers, []);
  });

  it("of lately are there for who subscribes late, no more of them than the history keeps", async () => {
    const { bus, subscriber } = busOf({ history: 2 });
    for (const id of ["a", "b", "c"]) bus.publish("created", exampleContainer(id));
    const events = bus.subscribe(subscriber.signal);
    bus.publish("created", exampleContainer("d"));
    assert.deepEqual((await take(events, 3)).map(told), ["created b", "created c", "created d"]);
  });

  it("are lost by a slow subscriber from the oldest on, counted, while others get all", async () => {
    let dropped = 0;
    const { bus, subscriber } = busOf({ history: 0, onDropped: () => (dropped += 1) });
    const slow = bus.subscribe(subscriber.signal);
    const quick = bus.subscribe(subscriber.signal);
    let seen = 0;
    for (let number = 0; number < 1002; number++) {
      bus.publish("created", exampleContainer(`c${number}`));
      seen += (await take(quick, 1)).length;
    }
    assert.equal(seen, 1002);
    assert.equal(dropped, 2);
    assert.deepEqual((await take(slow, 1)).map(told), ["created c2"]);
  });

  it("end when the subscriber goes, which then costs nothing more", async () => {
    let dropped = 0;
    const { bus, subscriber } = busOf({ history: 0, onDropped: () => (dropped += 1) });
    const waiting = bus.subscribe(subscriber.signal);
    const next = waiting.next();
    subscriber.abort();
    assert.equal((await next).done, true);
    assert.equal((await waiting.next()).done, true);

    const left = bus.subscribe(new AbortController().signal);
    await left.return();
    for (let number = 0; number < 1100; number++) bus.publish("created", exampleContainer("a"));
    assert.equal(dropped, 0);
    assert.equal((await bus.subscribe(subscriber.signal).next()).done, true);
  });

  it("end at once when they are disabled", async () => {
    const { bus, subscriber } = busOf({ enabled: false });
    bus.publish("created", exampleContainer("a"));
    assert.equal((await bus.subscribe(subscriber.signal).next()).done, true);
  });
});
