import { chmod, chown, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { MountFlag } from "#kernel/mount.ts";
import { mountOverlay } from "#kernel/overlay.ts";
import { type SmallFiles, smallFilesIn } from "#kernel/small-files.ts";
import { settleAll } from "#lib/settle.ts";
import type { Logger } from "#observability/logger.ts";
import { onDisk } from "./disk-failure.ts";
import type { ChainId, IdMap, Rootfs, RootView, Usage } from "./index.ts";
import type { LayerStore } from "./layer-store.ts";
import { isContainerId, type Layout } from "./layout.ts";
import { lowerDirectories, removeLowerMounts } from "./lower-directories.ts";
import { isMountPoint, removeDirectory, unmountAll } from "./mounted.ts";
import type { RootfsPlaces } from "./rootfs-changes.ts";
import type { ReferenceCounts } from "./reference-counts.ts";
import type { TreeJobs } from "./tree-jobs.ts";

/** What rootfs.json holds. */
interface StoredRootfs {
  version: 1;
  chainIds: ChainId[];
  mountLabel?: string;
  idMap?: IdMap;
}

const recordName = "rootfs.json";
const usageFreshMs = 10_000;
const umask = process.umask();

/** Writable layers of containers and the overlays that put them on top of images. */
export class RootfsStore {
  readonly #layout: Layout;
  readonly #logger: Logger;
  readonly #runFiles: SmallFiles;
  readonly #layers: LayerStore;
  readonly #trees: TreeJobs;
  readonly #references: ReferenceCounts<ChainId>;
  /** `undefined` for one whose record cannot be read: it can be removed, not mounted. */
  readonly #roots = new Map<string, StoredRootfs | undefined>();
  readonly #usages = new Map<string, { usage: Usage; atMs: number }>();

  constructor(parts: {
    layout: Layout;
    logger: Logger;
    layers: LayerStore;
    trees: TreeJobs;
    references: ReferenceCounts<ChainId>;
  }) {
    this.#layout = parts.layout;
    this.#runFiles = smallFilesIn(parts.layout.runRoot);
    this.#logger = parts.logger;
    this.#layers = parts.layers;
    this.#trees = parts.trees;
    this.#references = parts.references;
  }

  /** Reads what is on disk and takes down the mounts of containers that are gone. */
  async load(): Promise<void> {
    const ids = await this.#idsIn(this.#layout.containers);
    await Promise.all(ids.map((id) => this.#loadOne(id)));
    for (const id of await this.#idsIn(this.#layout.mounts)) {
      if (this.#roots.has(id)) continue;
      this.#logger.info(`the mount of container ${id}, which is gone, is removed`);
      await this.#removeMountPoint(id);
    }
  }

  /** What has no container's name is not ours, and is left alone. */
  async #idsIn(directory: string): Promise<string[]> {
    const names = await readdir(directory);
    for (const name of names.filter((one) => !isContainerId(one)))
      this.#logger.warn(`${path.join(directory, name)} is of no container and is left alone`);
    return names.filter(isContainerId);
  }

  async #loadOne(id: string): Promise<void> {
    try {
      const stored = parseStoredRootfs(await readFile(path.join(this.#layout.container(id), recordName), "utf8"));
      this.#roots.set(id, stored);
      this.#references.retain(stored.chainIds);
    } catch (error) {
      if (hasErrno(error, "ENOENT")) this.#logger.info(`the root of container ${id} was not made to its end`);
      else this.#logger.error(`the record of container root ${id} cannot be used: ${messageOf(error)}`);
      this.#roots.set(id, undefined);
    }
  }

  ids(): string[] {
    return [...this.#roots.keys()];
  }

  /** The layers of a root, none of one that is not known. */
  chainIdsOf(id: string): readonly ChainId[] {
    return this.#roots.get(id)?.chainIds ?? [];
  }

  /** Whether a container's root has the layer below it, or may have it, since its record cannot be read. */
  mayUse(chainId: ChainId): boolean {
    return this.#roots.values().some((stored) => stored === undefined || stored.chainIds.includes(chainId));
  }

  async create(id: string, chainIds: readonly ChainId[], options: RootView): Promise<Rootfs> {
    const place = this.#layout.container(id);
    if (this.#roots.has(id)) throw new DomainError("already-exists", `container root ${id} exists already`);
    this.#layers.require(id, chainIds);
    const stored: StoredRootfs = {
      version: 1,
      chainIds: [...chainIds],
      ...(options.mountLabel === undefined ? {} : { mountLabel: options.mountLabel }),
      ...(options.idMap === undefined ? {} : { idMap: options.idMap }),
    };
    await using undo = new AsyncDisposableStack();
    this.#roots.set(id, stored);
    this.#references.retain(stored.chainIds);
    undo.defer(() => this.remove(id));
    await onDisk(`container root ${id}`, this.#layout.containerRoot, () => this.#makeDirectories(id, stored, place));
    const [rootfs] = await settleAll([
      this.#mount(id, stored),
      onDisk(`container root ${id}`, this.#layout.containerRoot, () => this.#describe(id, stored)),
    ]);
    undo.move();
    return rootfs;
  }

  async #makeDirectories(id: string, stored: StoredRootfs, place: string): Promise<void> {
    await mkdir(place, { mode: 0o700 });
    await settleAll([this.#makeUpper(id, stored), mkdir(this.#workDir(id), { mode: 0o700 })]);
  }

  /** What a start finds a root by: one without it is of a daemon that died in between, and nobody has used it. */
  async #describe(id: string, stored: StoredRootfs): Promise<void> {
    await settleAll([
      symlink(this.#layout.mountPoint(id), this.#layout.rootLink(id)),
      writeFile(path.join(this.#layout.container(id), recordName), JSON.stringify(stored), { mode: 0o600 }),
    ]);
  }

  /** The upper directory is what the container sees as `/`: it gets the owner and mode that the image gives the root. */
  async #makeUpper(id: string, { chainIds, idMap }: StoredRootfs): Promise<void> {
    const source = chainIds.findLast((chainId) => this.#layers.hasRootEntry(chainId));
    const { uid, gid, mode } =
      source === undefined ? { uid: 0, gid: 0, mode: 0o755 } : await stat(this.#layout.diff(source));
    const upper = this.#layout.upper(id);
    await mkdir(upper, { mode: 0o755 });
    const owner = { uid: hostId(uid, idMap?.uids), gid: hostId(gid, idMap?.gids) };
    if (owner.uid !== 0 || owner.gid !== 0) await chown(upper, owner.uid, owner.gid);
    if ((mode & 0o7777) !== 0o755 || (umask & 0o755) !== 0) await chmod(upper, mode & 0o7777);
  }

  async mount(id: string): Promise<Rootfs> {
    const stored = this.#roots.get(id);
    if (stored === undefined) {
      const reason = this.#roots.has(id) ? "has no usable record" : "does not exist";
      throw new DomainError(this.#roots.has(id) ? "data-loss" : "not-found", `container root ${id} ${reason}`);
    }
    const mountPath = this.#layout.mountPoint(id);
    if (await isMountPoint(mountPath)) return { mountPath, upperPath: this.#upper(id) };
    this.#layers.require(id, stored.chainIds);
    // A volatile overlay leaves a mark that forbids the next mount: its upper may be damaged after power loss. The
    // containers of before a power loss are only started anew, not continued.
    await onDisk(`container root ${id}`, this.#layout.containerRoot, () =>
      rm(path.join(this.#workDir(id), "work"), { recursive: true, force: true }),
    );
    return await this.#mount(id, stored);
  }

  async #mount(id: string, stored: StoredRootfs): Promise<Rootfs> {
    const mountPath = this.#layout.mountPoint(id);
    await onDisk(`container root ${id}`, this.#layout.runRoot, async () => {
      await this.#runFiles.makeDirectory(mountPath, 0o700);
      // The runtime enters the root as the root of the container's user namespace, nobody else may look in from outside.
      if (stored.idMap !== undefined) await chown(path.dirname(mountPath), hostId(0, stored.idMap.uids), 0);
    });
    const lowerDirs = stored.chainIds.length === 0 ? [this.#layout.empty] : this.#diffs(stored.chainIds);
    using lower = await lowerDirectories(`container root ${id}`, lowerDirs, this.#lower(id), stored.idMap);
    try {
      await mountOverlay({
        target: mountPath,
        lowerDirs: lower.directories,
        upper: { upperDir: this.#upper(id), workDir: this.#workDir(id) },
        flags: MountFlag.noDev,
        options: {
          volatile: true,
          index: "off",
          metacopy: "off",
          ...(stored.mountLabel === undefined ? {} : { context: stored.mountLabel }),
        },
      });
    } catch (error) {
      throw new DomainError("internal", `container root ${id} could not be mounted: ${messageOf(error)}`, {
        cause: error,
      });
    }
    return { mountPath, upperPath: this.#upper(id) };
  }

  async unmount(id: string): Promise<void> {
    await unmountAll(this.#layout.mountPoint(id));
  }

  async remove(id: string): Promise<void> {
    const place = this.#layout.container(id);
    const stored = this.#roots.get(id);
    await this.#removeMountPoint(id);
    await onDisk(`container root ${id}`, this.#layout.containerRoot, () =>
      this.#trees.discard(place, this.#layout.trash),
    );
    if (this.#roots.delete(id) && stored !== undefined) this.#references.release(stored.chainIds);
    this.#usages.delete(id);
  }

  async #removeMountPoint(id: string): Promise<void> {
    const mountPath = this.#layout.mountPoint(id);
    await unmountAll(mountPath);
    await onDisk(`mount point of container root ${id}`, this.#layout.runRoot, async () => {
      await removeLowerMounts(this.#lower(id));
      await removeDirectory(mountPath);
      await removeDirectory(path.dirname(mountPath));
    });
  }

  async usage(id: string): Promise<Usage> {
    if (!this.#roots.has(id)) throw new DomainError("not-found", `container root ${id} does not exist`);
    const usage = await this.#trees.measure(this.#upper(id));
    if (this.#roots.has(id)) this.#usages.set(id, { usage, atMs: Date.now() });
    return usage;
  }

  /** The directories of which a root is made. @throws DomainError not-found */
  places(id: string): RootfsPlaces {
    const stored = this.#roots.get(id);
    if (stored === undefined) throw new DomainError("not-found", `container root ${id} does not exist`);
    return { mountPath: this.#layout.mountPoint(id), upper: this.#upper(id), lowers: this.#diffs(stored.chainIds) };
  }

  /** Sum over all containers; measurements of the last seconds are used again. */
  async totalUsage(): Promise<Usage> {
    const total: Usage = { usedBytes: 0, inodesUsed: 0 };
    for (const id of this.ids()) {
      const usage = await this.#recentUsage(id);
      total.usedBytes += usage.usedBytes;
      total.inodesUsed += usage.inodesUsed;
    }
    return total;
  }

  async #recentUsage(id: string): Promise<Usage> {
    const measured = this.#usages.get(id);
    if (measured !== undefined && Date.now() - measured.atMs < usageFreshMs) return measured.usage;
    try {
      return await this.usage(id);
    } catch (error) {
      // Removed meanwhile.
      if (error instanceof DomainError && error.kind === "not-found") return { usedBytes: 0, inodesUsed: 0 };
      throw error;
    }
  }

  #diffs(chainIds: readonly ChainId[]): string[] {
    return chainIds.map((chainId) => this.#layout.diff(chainId));
  }

  /** Where the idmapped layers of a root are mounted for a moment. */
  #lower(id: string): string {
    return path.join(path.dirname(this.#layout.mountPoint(id)), "lower");
  }

  #workDir(id: string): string {
    return path.join(this.#layout.container(id), "work");
  }

  #upper(id: string): string {
    return this.#layout.upper(id);
  }
}

/** The host's id of an id in the image; one that the map leaves out belongs to nobody in particular and stays. */
function hostId(id: number, ranges: IdMap["uids"] | undefined): number {
  const range = ranges?.find((one) => id >= one.containerId && id < one.containerId + one.length);
  return range === undefined ? id : range.hostId + id - range.containerId;
}

function parseStoredRootfs(text: string): StoredRootfs {
  const stored = JSON.parse(text) as StoredRootfs;
  if (stored.version !== 1) throw new Error("its version is not known");
  if (!Array.isArray(stored.chainIds)) throw new Error("it names no layers");
  return stored;
}
