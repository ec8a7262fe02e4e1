const pending = new Set<() => void>();

process.on("exit", () => {
  for (const cleanUp of pending) {
    try {
      cleanUp();
    } catch (error) {
      console.error(error);
    }
  }
});

/** Runs `cleanUp`, which must not need the event loop, when the process ends before the result is disposed of. */
export function atExit(cleanUp: () => void): Disposable {
  pending.add(cleanUp);
  return { [Symbol.dispose]: () => void pending.delete(cleanUp) };
}

/** Makes the signals by which the test runner ends a file that takes too long run what `atExit` was given. */
export function exitOnSignals(): void {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.once(signal, () => process.exit(1));
}
