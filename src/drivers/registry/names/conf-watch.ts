import { type FSWatcher, watch } from "node:fs";
import { hasErrno } from "#errors/domain-error.ts";

/** Editors and packages touch several files at once. */
const settleMs = 200;

/**
 * Calls `onChange` after files in `directory` changed and then stayed as they are for a moment. A directory that does not exist is not
 * watched: `onError` is told. Undone by disposing.
 */
export function watchConfiguration(
  directory: string,
  onChange: () => void,
  onError: (error: unknown) => void,
): Disposable {
  let timer: NodeJS.Timeout | undefined;
  const changed = (): void => {
    clearTimeout(timer);
    timer = setTimeout(onChange, settleMs);
  };
  const watcher = start(directory, changed, onError);
  return {
    [Symbol.dispose]() {
      clearTimeout(timer);
      watcher?.close();
    },
  };
}

function start(directory: string, changed: () => void, onError: (error: unknown) => void): FSWatcher | undefined {
  try {
    return watch(directory, changed).on("error", onError);
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "ENOTDIR", "EACCES", "EMFILE", "ENOSPC")) throw error;
    onError(error);
    return undefined;
  }
}
