import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { stat } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";

const timeoutMs = 10_000;

/**
 * Runs `reopen` and resolves once the log of container `id` was made or replaced after it. Where the log's directory is gone `reopen` is not
 * run: conmon ends when it cannot open its log.
 * @throws DomainError failed-precondition then, deadline-exceeded when no file appears, and what `reopen` throws
 */
export async function onceRemade(id: string, logPath: string, reopen: () => Promise<void>): Promise<void> {
  const before = await inode(logPath);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // Nobody waits for it yet when `reopen` fails.
  promise.catch(() => {});
  const look = (): void => {
    inode(logPath).then((now) => {
      if (now !== undefined && now !== before) resolve();
    }, reject);
  };
  const watcher = watchDirectory(id, logPath, look);
  watcher.on("error", (error) => reject(cannotWatch(id, logPath, error)));
  const timer = setTimeout(() => reject(notInTime(id, logPath)), timeoutMs);
  try {
    await reopen();
    look();
    await promise;
  } finally {
    clearTimeout(timer);
    watcher.close();
  }
}

function watchDirectory(id: string, logPath: string, listener: () => void): FSWatcher {
  try {
    return watch(path.dirname(logPath), listener);
  } catch (error) {
    throw cannotWatch(id, logPath, error);
  }
}

function cannotWatch(id: string, logPath: string, error: unknown): DomainError {
  const directory = path.dirname(logPath);
  const facts = { container: id, logPath };
  if (hasErrno(error, "ENOENT", "ENOTDIR"))
    return new DomainError(
      "failed-precondition",
      `container ${id}: its log ${logPath} cannot be reopened: the directory ${directory} is gone, and what the container writes is lost. ` +
        `Make the directory and reopen the log again`,
      { cause: error, facts },
    );
  const kind = hasErrno(error, "ENOSPC", "EMFILE", "ENFILE") ? "resource-exhausted" : "internal";
  return new DomainError(
    kind,
    `container ${id}: its log cannot be reopened: ${directory} cannot be watched: ${messageOf(error)}`,
    { cause: error, facts },
  );
}

function notInTime(id: string, logPath: string): DomainError {
  return new DomainError(
    "deadline-exceeded",
    `container ${id}: the monitor did not reopen ${logPath} within ${timeoutMs / 1000} s`,
    { facts: { container: id, logPath } },
  );
}

async function inode(file: string): Promise<bigint | undefined> {
  try {
    return (await stat(file, { bigint: true })).ino;
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}
