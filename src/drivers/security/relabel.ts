import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { DomainError } from "#errors/domain-error.ts";
import { workerEnvironment } from "#lib/worker-environment.ts";
import { getXattr } from "#kernel/file-metadata.ts";

export interface RelabelTask {
  root: string;
  label: string;
  /** `security.selinux`; tests use one that needs no SELinux. */
  attribute: string;
}

export type RelabelOutcome = { done: true } | { done: false; unsupported: boolean; message: string };

/** True when a file has the task's label already; false also where that cannot be told. */
export function hasLabel(file: string, { label, attribute }: Pick<RelabelTask, "label" | "attribute">): boolean {
  try {
    return getXattr(file, attribute).toString("utf8").replace(/\0$/, "") === label;
  } catch {
    return false;
  }
}

/** Directories whose relabelling would make the machine unusable. */
const neverRelabelled = new Set(
  "/ /bin /boot /dev /etc /home /lib /lib64 /opt /proc /root /run /sbin /sys /usr /var".split(" "),
);

/**
 * Labels a tree in a worker, since volumes have millions of files. A file system without labels is left as it is.
 * @throws DomainError invalid-argument for a directory of the system, cancelled when `signal` aborts, internal otherwise
 */
export async function relabelTree(task: RelabelTask, signal?: AbortSignal): Promise<void> {
  if (neverRelabelled.has(task.root))
    throw new DomainError(
      "invalid-argument",
      `the SELinux label of ${task.root} is not changed: it belongs to the system`,
    );
  if (signal?.aborted === true) throw stopped(task, signal);
  if (hasLabel(task.root, task)) return;
  const worker = new Worker(new URL("relabel-worker.ts", import.meta.url), {
    workerData: task,
    env: workerEnvironment(),
  });
  const stop = (): void => void worker.terminate();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    const ended = once(worker, "exit").then(() => undefined);
    const message: Promise<RelabelOutcome> = once(worker, "message").then(
      ([value]: unknown[]) => value as RelabelOutcome,
    );
    const outcome = await Promise.race([message, ended]);
    if (outcome === undefined) throw stopped(task, signal);
    if (!outcome.done && !outcome.unsupported)
      throw new DomainError("internal", `the SELinux label of ${task.root} cannot be set: ${outcome.message}`);
  } finally {
    signal?.removeEventListener("abort", stop);
    await worker.terminate();
  }
}

function stopped(task: RelabelTask, signal: AbortSignal | undefined): DomainError {
  const kind = signal?.aborted === true ? "cancelled" : "internal";
  return new DomainError(kind, `setting the SELinux label of ${task.root} was stopped`);
}
