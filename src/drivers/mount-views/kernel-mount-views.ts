import { close, openSync, statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { hasErrno } from "#errors/domain-error.ts";
import type { KernelThread } from "#kernel/kernel-thread.ts";
import { listMounts, unmount } from "#kernel/mount.ts";
import { findProgram } from "#kernel/program-path.ts";
import { replaceDescriptor } from "#kernel/replace-descriptor.ts";
import { run } from "#kernel/spawn.ts";
import type { Logger } from "#observability/logger.ts";
import type { OciSpec } from "#spec/oci-runtime.ts";
import type { MountView, MountViews } from "./index.ts";
import { narrowed, type ViewedSpec } from "./narrowed.ts";
import { hasMountsBelow, makeOwnMount, type MountDirectory, type OwnMount } from "./own-mount.ts";

const tryTimeoutMs = 10_000;

export interface MountViewOptions {
  /** Where mounts for pods are made. */
  directories: readonly MountDirectory[];
  /** Below it is only what berth has made: that is in every view. */
  runroot: string;
  /** False for handlers whose runtime keeps processes in what it sees of the host, as sandboxes do. */
  isNarrowed(this: void, handler: string): boolean;
}

const allMounts: MountView = { command: [], narrow: () => Promise.resolve(), [Symbol.dispose]() {} };

/** No view is another than the host's own, and nothing is mounted for any. */
export const hostViews: MountViews = { open: () => allMounts, close: () => Promise.resolve() };

/**
 * Views that are mount namespaces, made by the kernel thread, entered by nsenter(1). Each lives as long as a descriptor of this process, and
 * so ends with it. Where that does not work, the host's own.
 */
export async function openMountViews(
  options: MountViewOptions,
  thread: KernelThread,
  logger: Logger,
): Promise<MountViews> {
  try {
    const nsenter = programOfNode("nsenter");
    await tryViews(nsenter, new Narrowing([], options.runroot, thread, logger));
    const own = await makeOwnMounts(options.directories, logger);
    const narrowing = new Narrowing(own, options.runroot, thread, logger);
    return {
      open: (handler) =>
        narrowing.isPossible && options.isNarrowed(handler) ? new NamespaceView(nsenter, narrowing) : allMounts,
      close: () => removeAll(own),
    };
  } catch (error) {
    logger.warn("runtimes see the mounts of all pods", { error });
    return hostViews;
  }
}

/** @throws Error when a view cannot be made, or when who enters one finds another root than this process has, as in a chroot */
async function tryViews(nsenter: string, narrowing: Narrowing): Promise<void> {
  const { dev, ino } = statSync("/");
  const argv = [programOfNode("stat"), "--format=%d:%i", "/"];
  const anyContainer = { root: { path: "/" }, mounts: [], linux: { namespaces: [] } };
  for (const isNarrow of [false, true]) {
    using view = new NamespaceView(nsenter, narrowing);
    if (isNarrow) await narrowing.narrow(view.fd, anyContainer);
    const { exitCode, stdout, stderr } = await run([...view.command, ...argv], { timeoutMs: tryTimeoutMs });
    const said = stdout.toString().trim();
    if (exitCode !== 0)
      throw new Error(`${view.command.join(" ")} failed: ${stderr.toString().trim() || "it said nothing"}`);
    if (said !== `${dev}:${ino}`) throw new Error(`the root of the daemon's mount namespace is not the daemon's root`);
  }
}

function programOfNode(name: string): string {
  const found = findProgram(name);
  if (found === undefined) throw new Error(`${name} is not installed`);
  return found;
}

async function makeOwnMounts(directories: readonly MountDirectory[], logger: Logger): Promise<OwnMount[]> {
  const mounts = await listMounts();
  const own: OwnMount[] = [];
  for (const directory of directories) {
    try {
      const made = await makeOwnMount(directory, mounts);
      if (made !== undefined) own.push(made);
      else
        logger.info("runtimes see the mounts in a directory: it has mounts of others", { directory: directory.path });
    } catch (error) {
      logger.warn("runtimes see the mounts of all pods in a directory", { directory: directory.path, error });
    }
  }
  return own;
}

/** All of them or none: where anything is mounted, there are pods, and these may look into the public ones. */
async function removeAll(own: readonly OwnMount[]): Promise<void> {
  const mounts = await listMounts();
  const ours = own.filter(({ stays }) => !stays);
  if (ours.some(({ path }) => hasMountsBelow(path, mounts))) return;
  // Somebody may have a file open in it for another moment.
  for (const { path } of ours) unmount(path, { lazy: true });
}

/** Takes mounts for pods out of views. */
class Narrowing {
  readonly #own: readonly OwnMount[];
  readonly #runroot: string;
  readonly #thread: KernelThread;
  readonly #logger: Logger;
  #isPossible = true;

  constructor(own: readonly OwnMount[], runroot: string, thread: KernelThread, logger: Logger) {
    this.#own = own;
    this.#runroot = runroot;
    this.#thread = thread;
    this.#logger = logger;
  }

  get isPossible(): boolean {
    return this.#isPossible;
  }

  /** As `narrow`, and what cannot be narrowed is logged. */
  async apply(fd: number, spec: OciSpec): Promise<void> {
    try {
      await this.narrow(fd, spec);
    } catch (error) {
      // What the kernel has not, or forbids, it will not have the next time.
      if (hasErrno(error, "ENOSYS", "EPERM", "EACCES")) this.#isPossible = false;
      this.#logger.warn("a runtime sees the mounts of all pods", { root: spec.root.path, error });
    }
  }

  /** @throws SystemError when it cannot be made; the view is as before then */
  async narrow(fd: number, spec: ViewedSpec): Promise<void> {
    const wanted = narrowed(spec, this.#own);
    if (wanted === undefined) return;
    const { namespace, root } = await this.#thread.makeMountView(wanted);
    try {
      const foreign = wanted.shown.filter((place) => !place.startsWith(`${this.#runroot}/`));
      const isShown = await Promise.all(foreign.map((place) => isSame(place, `/proc/self/fd/${root}${place}`)));
      if (!isShown.includes(false)) replaceDescriptor(fd, namespace);
    } finally {
      closeOffThread(namespace);
      closeOffThread(root);
    }
  }
}

/** Mounts that somebody has made unbindable are in no copy: below them a view has what they cover. */
async function isSame(place: string, other: string): Promise<boolean> {
  const [one, two] = await Promise.all([place, other].map((name) => stat(name).catch(() => undefined)));
  return one !== undefined && one.dev === two?.dev && one.ino === two.ino;
}

/** The last one to close a namespace frees its mounts. */
function closeOffThread(fd: number): void {
  close(fd, () => {});
}

/** A mount namespace: this process's own until it is narrowed. */
class NamespaceView implements MountView {
  readonly command: readonly string[];
  readonly fd: number;
  readonly #narrowing: Narrowing;
  #isOpen = true;

  constructor(nsenter: string, narrowing: Narrowing) {
    this.#narrowing = narrowing;
    this.fd = openSync("/proc/self/ns/mnt", "r");
    this.command = [nsenter, `--mount=/proc/${process.pid}/fd/${this.fd}`];
  }

  async narrow(spec: OciSpec): Promise<void> {
    await this.#narrowing.apply(this.fd, spec);
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeOffThread(this.fd);
  }
}
