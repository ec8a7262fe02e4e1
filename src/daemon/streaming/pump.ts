import type { Readable, Writable } from "node:stream";
import { QuietTimer } from "./quiet-timer.ts";

/**
 * Copies input until it ends, and then ends `to` unless told otherwise. When `to` takes no more, since its reader has closed
 * it or has ended, the rest of the input is thrown away. Never fails.
 */
export function feed(from: Readable, to: Writable, options: { end: boolean } = { end: true }): void {
  from.pipe(to, options);
  const stop = (): void => {
    from.unpipe(to);
    from.resume();
  };
  to.on("error", stop);
  to.on("close", stop);
}

/**
 * Copies output until it ends, without ending `to`. Once `finished` settles it also counts as the end when nothing has come
 * for `quietMs` and nothing waits for a slow client: what a command leaves in the background may hold its end of a pipe for
 * ever. When `to` is gone the source is closed, which its writers get to know. Never rejects.
 */
export async function copyOutput(
  from: Readable,
  to: Writable,
  finished: Promise<unknown>,
  quietMs: number,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const quiet = new QuietTimer(() => to.writableNeedDrain || from.readableLength > 0, resolve);
  const close = (): void => void from.destroy();
  from.on("end", resolve);
  from.on("close", resolve);
  from.on("error", () => resolve());
  from.on("data", () => quiet.touch());
  to.on("close", close);
  to.on("error", close);
  if (to.destroyed) close();
  from.pipe(to, { end: false });
  const onFinished = (): void => quiet.start(quietMs);
  finished.then(onFinished, onFinished);
  await promise;
  quiet.stop();
  from.unpipe(to);
  to.off("close", close);
  to.off("error", close);
}
