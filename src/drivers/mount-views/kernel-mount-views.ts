import { close, openSync } from "node:fs";
import { hasErrno } from "#errors/domain-error.ts";
import type { KernelThread } from "#kernel/kernel-thread.ts";
import { listMounts, unmount } from "#kernel/mount.ts";
import { findProgram } from "#kernel/program-path.ts";
import type { Logger } from "#observability/logger.ts";
import type { OciSpec } from "#spec/oci-runtime.ts";
import type { MountView, MountViews } from "./index.ts";
import { narrowed } from "./narrowed.ts";
import { hasMountsBelow, makeOwnMount, type MountDirectory, type OwnMount } from "./own-mount.ts";

export interface MountViewOptions {
  /** Where mounts for pods are made. */
  directories: readonly MountDirectory[];
  /** False for handlers whose runtime keeps processes in what it sees of the host, as sandboxes do. */
  isNarrowed(this: void, handler: string): boolean;
}

const allMounts: MountView = { command: [], narrow: () => Promise.resolve(), [Symbol.dispose]() {} };

/** No view is another than the host's own, and nothing is mounted for any. */
export const hostViews: MountViews = { open: () => allMounts, close: () => Promise.resolve() };

/**
 * Views that are mount namespaces, made by the kernel thread, entered by nsenter(1). Each lives as long as a descriptor of this process, and
 * so ends with it.
 */
export async function openMountViews(
  options: MountViewOptions,
  thread: KernelThread,
  logger: Logger,
): Promise<MountViews> {
  const nsenter = findProgram("nsenter");
  if (nsenter === undefined) {
    logger.warn("runtimes see the mounts of all pods: nsenter is not installed");
    return hostViews;
  }
  const own = await makeOwnMounts(options.directories, logger);
  const narrowing = new Narrowing(own, thread, logger);
  return {
    open: (handler) =>
      own.length === 0 || !options.isNarrowed(handler) ? allMounts : new NamespaceView(nsenter, narrowing),

    close: () => removeAll(own),
  };
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
  if (own.some(({ path }) => hasMountsBelow(path, mounts))) return;
  // Somebody may have a file open in it for another moment.
  for (const { path, stays } of own) if (!stays) unmount(path, { lazy: true });
}

/** Takes mounts for pods out of views. */
class Narrowing {
  readonly #own: readonly OwnMount[];
  readonly #thread: KernelThread;
  readonly #logger: Logger;
  #isPossible = true;
  #wasTold = false;

  constructor(own: readonly OwnMount[], thread: KernelThread, logger: Logger) {
    this.#own = own;
    this.#thread = thread;
    this.#logger = logger;
  }

  async apply(fd: number, spec: OciSpec): Promise<void> {
    const wanted = this.#isPossible ? narrowed(spec, this.#own) : undefined;
    if (wanted === undefined) return;
    try {
      await this.#thread.makeMountView({ fd, ...wanted });
    } catch (error) {
      // What the kernel has not, or forbids, it will not have the next time.
      this.#isPossible = !hasErrno(error, "ENOSYS", "EPERM", "EACCES");
      const level = this.#wasTold ? "debug" : "warn";
      this.#wasTold = true;
      this.#logger[level]("a runtime sees the mounts of all pods", { root: spec.root.path, error });
    }
  }
}

/** A mount namespace: this process's own until it is narrowed. */
class NamespaceView implements MountView {
  readonly command: readonly string[];
  readonly #narrowing: Narrowing;
  readonly #fd: number;
  #isOpen = true;

  constructor(nsenter: string, narrowing: Narrowing) {
    this.#narrowing = narrowing;
    this.#fd = openSync("/proc/self/ns/mnt", "r");
    this.command = [nsenter, `--mount=/proc/${process.pid}/fd/${this.#fd}`];
  }

  async narrow(spec: OciSpec): Promise<void> {
    await this.#narrowing.apply(this.#fd, spec);
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    // The last one to close it frees the mounts; not on this thread.
    close(this.#fd, () => {});
  }
}
