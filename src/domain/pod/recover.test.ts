import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ContainerStore } from "#domain/container/container-store.ts";
import type { Container } from "#domain/container/container.ts";
import { noRecords } from "#domain/entity/no-records.ts";
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
  return noRecords({ load: async () => ({ records, corrupt: [] }) });
}

const none = async (): Promise<never[]> => [];

/** A daemon that starts where these are; `isAlive` is what it finds of their processes. */
function startingDaemon(sandbox: Sandbox, container: Container, isAlive: () => boolean) {
  const containers = recordsOf(container);
  const sandboxes = recordsOf(sandbox);
  const store = new ContainerStore(containers);
  const sandboxStore = new SandboxStore(sandboxes);
  const watched: string[] = [];
  const groups: string[] = [];
  const watch = ({ id }: { id: string }): void => void watched.push(id);
  const settings = { bootId: "boot" };
  const drivers = {
    container: {
      store,
      settings,
      processes: { isAlive },
      checkpoints: { dumps: { unfinished: async () => [] }, restores: { names: async () => [] } },
      bundles: { ids: none },
      storage: { rootfsIds: none },
      imageVolumes: { ids: none },
    },
    sandbox: {
      store: sandboxStore,
      settings,
      namespaces: { isPinned: async () => true, pinned: none },
      files: { ids: none },
      network: { gc: none },
      hostPorts: { sweep: none },
      cgroups: { makePodGroup: async (parent: string, id: string) => void groups.push(`${parent} ${id}`) },
      logger: silentLogger,
    },
    exits: { watch, watchIfPossible: watch },
    logger: silentLogger,
  } as unknown as PodDrivers;
  const infra = { watch } as unknown as InfraWatch;
  return {
    store,
    sandboxStore,
    watched,
    groups,
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

describe("the cgroup by which cAdvisor notices a pod", () => {
  const container = exampleContainer({ process });

  async function groupsOf(sandbox: Sandbox): Promise<string[]> {
    const { start, groups } = startingDaemon(sandbox, container, () => true);
    const afterwards = await start();
    // Who notices it asks for the pod.
    assert.deepEqual(groups, []);
    await afterwards();
    return groups;
  }

  it("is made once berth serves, as the daemon may have died before it was", async () => {
    const sandbox = exampleSandbox();
    assert.deepEqual(await groupsOf(sandbox), [`${sandbox.cgroupParent} ${sandbox.id}`]);
  });

  it("is not made for a pod that has a pause process, has ended or has no parent", async () => {
    const infra = { process, monitor: process };
    const changes: Partial<Sandbox>[] = [{ infra }, { bootId: "another" }, { cgroupParent: "" }];
    for (const change of changes) assert.deepEqual(await groupsOf(exampleSandbox(change)), []);
  });
});
