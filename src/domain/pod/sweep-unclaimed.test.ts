import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EntityIndex } from "#domain/entity/entity-index.ts";
import { silentLogger } from "#observability/logger.ts";
import type { PodDrivers } from "./pod-drivers.ts";
import { sweepUnclaimed } from "./sweep-unclaimed.ts";

/** A machine with things of these ids; `onStep` is called before those of a kind are listed. */
function machine(ids: readonly string[], onStep: (drivers: PodDrivers) => void = () => {}) {
  const removed: string[] = [];
  const list = () => {
    onStep(drivers);
    return Promise.resolve([...ids]);
  };
  const remove = (what: string) => (id: string) => {
    removed.push(`${what} ${id}`);
    return Promise.resolve();
  };
  const [pods, containers] = [index(), index()];
  const swept: { networks: string[]; hasPorts: (id: string) => boolean } = { networks: [], hasPorts: () => false };
  const drivers = {
    sandbox: {
      store: { index: pods },
      namespaces: { pinned: list, unpin: remove("namespaces") },
      files: { ids: list, remove: remove("files") },
      network: { gc: async (valid: ReadonlySet<string>) => void swept.networks.push(...valid) },
      hostPorts: {
        sweep: async (isValid: (id: string) => boolean) => {
          swept.hasPorts = isValid;
        },
      },
    },
    container: {
      store: { index: containers },
      bundles: { ids: list, remove: remove("bundle") },
      storage: { rootfsIds: list, removeRootfs: remove("root") },
      imageVolumes: { ids: list, remove: remove("volumes") },
    },
    logger: silentLogger,
  } as unknown as PodDrivers;
  return { drivers, pods, containers, removed, swept };
}

const index = () => new EntityIndex<{ id: string }>("thing", ({ id }) => id);

describe("a sweep of what no record claims", () => {
  it("removes just that", async () => {
    const { drivers, pods, containers, removed, swept } = machine(["pod", "container", "lost", "stray"]);
    pods.set({ id: "pod" });
    containers.set({ id: "container" });
    await sweepUnclaimed(drivers, new Set(["lost"]));
    assert.deepEqual(removed, ["namespaces stray", "files stray", "bundle stray", "root stray", "volumes stray"]);
    assert.deepEqual(swept.networks, ["pod", "lost"]);
    assert.deepEqual(["pod", "lost", "stray"].map(swept.hasPorts), [true, true, false]);
  });

  it("leaves pods alone that come while it goes on", async () => {
    const { drivers, pods, removed, swept } = machine(["new"], () => pods.set({ id: "new" }));
    await sweepUnclaimed(drivers, new Set());
    assert.deepEqual(removed, []);
    assert.deepEqual(swept.networks, ["new"]);
    assert.ok(swept.hasPorts("new"));
  });
});
