import type { PodDrivers } from "./pod-drivers.ts";

/**
 * Removes what no record claims. Things of a record that was set aside, `lost`, stay for whoever repairs it. Requests are served
 * meanwhile, and a record is there before what it claims: so things are listed first, and records looked for then.
 */
export async function sweepUnclaimed(drivers: PodDrivers, lost: ReadonlySet<string>): Promise<void> {
  const { sandbox, container, logger } = drivers;
  const isPod = (id: string): boolean => sandbox.store.index.current(id) !== undefined || lost.has(id);
  const isKnown = (id: string): boolean => isPod(id) || container.store.index.current(id) !== undefined;
  const orphans = async (ids: Promise<string[]>, remove: (id: string) => Promise<void>): Promise<void> => {
    for (const id of (await ids).filter((one) => !isKnown(one))) {
      logger.warn("removing what no pod or container claims", { id });
      await remove(id);
    }
  };
  const steps: [string, () => Promise<void>][] = [
    ["namespaces", () => orphans(sandbox.namespaces.pinned(), (id) => sandbox.namespaces.unpin(id))],
    ["sandbox files", () => orphans(sandbox.files.ids(), (id) => sandbox.files.remove(id))],
    ["bundles", () => orphans(container.bundles.ids(), (id) => container.bundles.remove(id))],
    ["root file systems", () => orphans(container.storage.rootfsIds(), (id) => container.storage.removeRootfs(id))],
    ["image volumes", () => orphans(container.imageVolumes.ids(), (id) => container.imageVolumes.remove(id))],
    ["networks", () => sandbox.network.gc(new Set([...sandbox.store.index.all().map(({ id }) => id), ...lost]))],
    ["host ports", () => sandbox.hostPorts.sweep(isPod)],
  ];
  for (const [what, step] of steps) {
    await step().catch((error: unknown) => logger.warn(`sweeping ${what} failed`, { error }));
  }
}
