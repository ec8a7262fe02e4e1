/**
 * Collects the garbage of this thread and gives the free pages of its heap back, which takes some 50 ms for the main thread. Does
 * nothing without the launcher's `--expose-gc`.
 */
export function collectGarbage(): void {
  // As a last resort V8 keeps no pages for later, and shrinks the space for new objects.
  globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
}

/**
 * Collects the garbage of this thread alone, which takes some milliseconds for a small heap. For memory that V8 does not count as this
 * thread's own, and so does not collect for: that which threads share. Does nothing without `--expose-gc`.
 */
export function collectShared(): void {
  globalThis.gc?.({ type: "major", execution: "sync" });
}
