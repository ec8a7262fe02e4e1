import type { Writable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import type { AttachTarget } from "#domain/pod/stream-sessions.ts";
import type { AttachedContainer, Carriers } from "#drivers/streams/index.ts";
import type { Logger } from "#observability/logger.ts";
import type { AttachRequest, SessionStreams } from "#streaming/backend.ts";
import { feed } from "./pump.ts";
import type { Ask } from "./questions.ts";
import { QuietTimer } from "./quiet-timer.ts";
import { followSize } from "./terminal-size.ts";

/** How long a monitor may be silent after the end of its container before no more is waited for. */
const quietMs = 2000;
/** How long what the last input causes is waited for, where the container's stdin stays open for others. */
const answerMs = 250;
const answerLimitMs = 2000;

/**
 * Joins a container: its output until it ends, the client's input to it. When the client ends its input and the container's
 * stdin stays open for others, the session is over soon after; else it would last as long as the container.
 */
export async function attach(
  carriers: Carriers,
  ask: Ask,
  logger: Logger,
  { containerId }: AttachRequest,
  streams: SessionStreams,
  signal: AbortSignal,
): Promise<void> {
  const target = await ask("attach", { containerId });
  const { session } = target;
  using undo = new DisposableStack();
  undo.defer(() => void ask("detach", { session }).catch(() => {}));
  const containerEnded = ask("containerEnded", { session });
  const container = await join(carriers, target, containerEnded);
  if (container === undefined) return;
  const close = (): void => container.close();
  undo.defer(close);
  signal.addEventListener("abort", close);
  undo.defer(() => signal.removeEventListener("abort", close));
  if (signal.aborted) close();

  const isHeldBack = (): boolean => [streams.stdout, streams.stderr].some((stream) => stream?.writableNeedDrain);
  const quiet = new QuietTimer(isHeldBack, close);
  undo.defer(() => quiet.stop());
  const ended = new AbortController();
  const onEnded = (): void => {
    ended.abort();
    quiet.start(quietMs);
  };
  containerEnded.then(onEnded, onEnded);
  if (target.tty) void followSize(streams.resize, (size) => ask("resize", { containerId, size }), logger);
  passInput(target, container, streams, quiet);
  await passOutput(container, streams, quiet, ended.signal);
}

/** Connects to the monitor; `undefined` when it is not there because the container has ended since the session began. */
async function join(
  carriers: Carriers,
  { socketPath }: AttachTarget,
  containerEnded: Promise<undefined>,
): Promise<AttachedContainer | undefined> {
  const isOver = containerEnded.then(
    () => true,
    () => false,
  );
  try {
    return await carriers.attach(socketPath);
  } catch (error) {
    // The monitor goes first: its container's end is noticed a little later.
    if (await Promise.race([isOver, pause(quietMs, false, { ref: false })])) return undefined;
    throw error;
  }
}

function passInput(
  { tty, stdin: takesInput, stdinOnce }: AttachTarget,
  container: AttachedContainer,
  { stdin, stdout, stderr }: SessionStreams,
  quiet: QuietTimer,
): void {
  if (stdin === undefined) return;
  // A monitor without a place for input reads none, and would not notice later that we are gone.
  if (!takesInput) {
    stdin.resume();
    return;
  }
  // With a terminal the end of the input would hang the terminal up, and with it the output.
  feed(stdin, container.input, { end: !(tty && stdinOnce) });
  container.input.on("finish", () => {
    if (!stdinOnce) quiet.start(answerMs, answerLimitMs);
    else if (stdout === undefined && stderr === undefined) container.close();
  });
}

/** Copies output as fast as the client takes it; after the container has ended, as fast as it comes. */
async function passOutput(
  container: AttachedContainer,
  streams: SessionStreams,
  quiet: QuietTimer,
  ended: AbortSignal,
): Promise<void> {
  for await (const { stream, bytes } of container.output) {
    quiet.touch();
    const to = streams[stream];
    if (to === undefined || to.destroyed) continue;
    // A monitor that we do not read from cannot record how its container ended; what it still has is little.
    if (!to.write(bytes) && !ended.aborted) await room(to, ended);
  }
}

/** Resolves when `to` takes more, will take no more, or `ended` aborts. */
async function room(to: Writable, ended: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => resolve();
  to.once("drain", done);
  to.once("close", done);
  ended.addEventListener("abort", done);
  await promise;
  to.off("drain", done);
  to.off("close", done);
  ended.removeEventListener("abort", done);
}
