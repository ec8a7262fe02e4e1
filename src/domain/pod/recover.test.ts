import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ContainerStore } from "#domain/container/container-store.ts";
import type { Container } from "#domain/container/container.ts";
import { SandboxStore } from "#domain/sandbox/sandbox-store.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import type { Records } from "#drivers/records/index.ts";
import { silentLogger } from "#observability/logger.ts";
import { exampleContainer, exampleSandbox } from "./entity-examples.ts";
import type { InfraWatch } from "./infra-watch.ts";
import type { PodDrivers } from "./pod-drivers.ts";
import { recover } from "./recover.ts";

const process = { pid: 1, startTime: "1" };

function recordsOf<T>(...records: T[]): Records<T> {
  return {
    load: async () => ({ records, corrupt: [] }),
    put: async () => {},
    remove: async () => {},
    close: async () => {},
  };
}

/** A daemon that starts where these are; `isAlive` is what it finds of their processes. */
function startingDaemon(sandbox: Sandbox, container: Container, isAlive: () => boolean) {
  const containers = recordsOf(container);
  const sandboxes = recordsOf(sandbox);
  const store = new ContainerStore(containers);
  const sandboxStore = new SandboxStore(sandboxes);
  const watched: string[] = [];
  const watch = ({ id }: { id: string }): void => void watched.push(id);
  const settings = { bootId: "boot" };
  const drivers = {
    container: {
      store,
      settings,
      processes: { isAlive },
      checkpoints: { dumps: { unfinished: async () => [] }, restores: { names: async () => [] } },
    },
    sandbox: { store: sandboxStore, settings, namespaces: { isPinned: async () => true } },
    exits: { watch },
    logger: silentLogger,
  } as unknown as PodDrivers;
  const infra = { watch } as unknown as InfraWatch;
  return {
    store,
    sandboxStore,
    watched,
    start: () => recover(drivers, infra, { sandboxes, containers, stop: async () => {} }),
  };
}

describe("a daemon that starts without descriptors", () => {
  const sandbox = exampleSandbox({ infra: { process, monitor: process } });
  const container = exampleContainer({ process });
  const daemon = (): ReturnType<typeof startingDaemon> =>
    startingDaemon(sandbox, container, () => {
      throw Object.assign(new Error("too many open files"), { code: "EMFILE" });
    });

  it("takes no pod and no container for ended, and watches them", async () => {
    const { start, store, sandboxStore, watched } = daemon();
    await start();
    assert.equal(store.index.get(container.id).state.kind, "running");
    assert.equal(sandboxStore.index.get(sandbox.id).state.kind, "ready");
    assert.deepEqual(watched, [container.id, sandbox.id]);
  });
});
