import { setTimeout as pause } from "node:timers/promises";

const betweenLooksMs = 25;

/**
 * Looks again and again until `look` gives something other than undefined. For what the system announces to nobody we
 * can listen to; fails with `what` and the last error after `timeoutMs`.
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 15_000,
): Promise<T> {
  const until = Date.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > until) throw new Error(`gave up after ${timeoutMs} ms: ${what}`);
    await pause(betweenLooksMs);
  }
}
