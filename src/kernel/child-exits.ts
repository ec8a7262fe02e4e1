import os from "node:os";
import { check, checkOffThread, type CallDone, libc } from "#kernel/libc.ts";
import { longestTimerMs } from "#lib/longest-timer.ts";

type WaitArguments = [idType: number, id: number, siginfo: Buffer | null, options: number];

const waitid = libc.func("int waitid(int idtype, int id, void *siginfo, int options)") as ((
  ...call: WaitArguments
) => number) & { async: (...call: [...WaitArguments, done: CallDone]) => void };
const prctl = libc.func("int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)") as (
  option: number,
  a: number,
  b: number,
  c: number,
  d: number,
) => number;

/** How a process ended: one of the two is set. `signal` is a name such as `SIGKILL`. */
export interface ExitStatus {
  exitCode: number | undefined;
  signal: NodeJS.Signals | undefined;
}

/** The exit code as a shell and the CRI count it: 128 + n for a process ended by signal n. */
export function exitCodeOf(status: ExitStatus): number {
  if (status.exitCode !== undefined) return status.exitCode;
  return 128 + (status.signal === undefined ? 0 : os.constants.signals[status.signal]);
}

// The end of a child is seen at once, and what is left of it is taken away a little later and by another thread. At once would be amid
// the end of its last thread: both then clear the caches of /proc/PID, one in a loop until the other is done, which took this process
// four milliseconds of a processor for each child, and under load many times that: on a busy machine that thread may get no processor for some hundred
// milliseconds. But who kills a command looks for it soon after, and what is not taken away is still there.
const reapAfterMs = { itsOwnEnd: 400, killed: 20 } as const;
/** Those whose time comes within so long are taken away together. */
const reapTogetherMs = { itsOwnEnd: 100, killed: 5 } as const;

const awaited = new Map<number, (status: ExitStatus) => void>();
const orphanListeners = new Set<(pid: number, status: ExitStatus) => void>();
/** Children that have ended and are still to be taken away, and when each may be. */
const ended = new Map<number, { dueAtMs: number }>();
/** For each child that is being started: those that were taken away meanwhile, of which it may be one. */
const takenMeanwhile = new Set<Map<number, ExitStatus>>();
let adopting = false;
let listening = false;

/**
 * Makes this process the reaper of everything that its children leave behind (prctl(2), PR_SET_CHILD_SUBREAPER), so that
 * monitors and the processes of broken ones never stay as zombies. For the daemon only: it takes every child's status.
 */
export function adoptOrphans(): void {
  const setChildSubreaper = 36;
  check(prctl(setChildSubreaper, 1, 0, 0, 0), "prctl");
  adopting = true;
  listenForChildren();
}

/** Calls `listener` some time after an adopted process that nobody awaits has ended. Returns how to stop that. */
export function onOrphanExit(listener: (pid: number, status: ExitStatus) => void): () => void {
  orphanListeners.add(listener);
  return () => orphanListeners.delete(listener);
}

/** A child that is being started: its end is noticed even if it comes before its pid is known. */
export interface ExpectedChild extends Disposable {
  /** Resolves when the child has ended; never rejects. The pid is not used again before. */
  exit(pid: number): Promise<ExitStatus>;
}

/** To be called before a child is started; disposed when it was, or was not. */
export function expectChild(): ExpectedChild {
  listenForChildren();
  const taken = new Map<number, ExitStatus>();
  takenMeanwhile.add(taken);
  return {
    exit(pid) {
      const status = taken.get(pid);
      return status === undefined ? childExit(pid) : Promise.resolve(status);
    },
    [Symbol.dispose]: () => takenMeanwhile.delete(taken),
  };
}

/** Resolves when the child `pid`, which may be an adopted one, has ended. One caller for each child. Never rejects. */
export function childExit(pid: number): Promise<ExitStatus> {
  const { promise, resolve } = Promise.withResolvers<ExitStatus>();
  awaited.set(pid, resolve);
  keepAlive();
  // The signal may have come before.
  look(pid);
  return promise;
}

/** Whether somebody awaits this child, whose pid therefore is still its own. */
export function isAwaited(pid: number): boolean {
  return awaited.has(pid);
}

/** How a child ended that was not taken away yet; `undefined` for any other process. */
export function endedChild(pid: number): ExitStatus | undefined {
  return peek(idType.pid, pid)?.status;
}

interface EndedChild {
  pid: number;
  status: ExitStatus;
}

/** A child that has ended and is there still. */
function peek(kind: number, id: number): EndedChild | undefined {
  // Of the last call: one that finds no child need not write it.
  siginfo.fill(0);
  const result = waitid(kind, id, siginfo, wait.exited | wait.noHang | wait.noWait);
  return result === 0 ? decodeSiginfo() : undefined;
}

function listenForChildren(): void {
  if (listening) return;
  listening = true;
  process.on("SIGCHLD", () => {
    // Signals coalesce, so one may stand for many.
    for (const pid of awaited.keys()) look(pid);
    if (adopting) reapAt(performance.now() + reapAfterMs.itsOwnEnd);
  });
}

function look(pid: number): void {
  const status = endedChild(pid);
  if (status === undefined) return;
  settle(pid, status);
  reapAt(leaveFor(pid, status, performance.now()).dueAtMs);
}

/** Notes when a child that has ended may be taken away. */
function leaveFor(pid: number, status: ExitStatus, endedAtMs: number): { dueAtMs: number } {
  const how = status.signal === undefined ? "itsOwnEnd" : "killed";
  const earliestMs = endedAtMs + reapAfterMs[how];
  const left = { dueAtMs: Math.ceil(earliestMs / reapTogetherMs[how]) * reapTogetherMs[how] };
  ended.set(pid, left);
  return left;
}

function settle(pid: number, status: ExitStatus): void {
  awaited.get(pid)?.(status);
  awaited.delete(pid);
  keepAlive();
}

// Node does not wait for signals: without something to wait for, a program would end before its children do.
let keptAlive: NodeJS.Timeout | undefined;

function keepAlive(): void {
  if (awaited.size > 0) keptAlive ??= setInterval(() => {}, longestTimerMs);
  else {
    clearInterval(keptAlive);
    keptAlive = undefined;
  }
}

let reaping = false;
let reapAtMs = Infinity;
let reapTimer: NodeJS.Timeout | undefined;

function reapAt(atMs: number): void {
  if (atMs >= reapAtMs) return;
  reapAtMs = atMs;
  if (!reaping) scheduleReap();
}

function scheduleReap(): void {
  clearTimeout(reapTimer);
  reapTimer = setTimeout(() => void reap(), Math.max(0, reapAtMs - performance.now())).unref();
}

async function reap(): Promise<void> {
  reaping = true;
  reapAtMs = Infinity;
  for (const [pid, { dueAtMs }] of ended) {
    if (dueAtMs <= performance.now()) await takeAway(pid);
    else reapAt(dueAtMs);
  }
  if (adopting) await reapOthers();
  reaping = false;
  // What ended meanwhile may have come too late for it.
  if (reapAtMs !== Infinity) scheduleReap();
}

/** Since when a child whose time has not come hides others that have ended. */
let hidingSinceMs: number | undefined;

/** Orphans are found by asking for any child that has ended: the kernel names the same one again until it is taken away. */
async function reapOthers(): Promise<void> {
  for (let child = peek(idType.all, 0); child !== undefined; child = peek(idType.all, 0)) {
    // Looked at first: a child that is awaited keeps its pid until that was told.
    notice(child);
    const nowMs = performance.now();
    // One that was hidden has waited already: were its time to begin now, those that end together would go one by one.
    const { dueAtMs } = ended.get(child.pid) ?? leaveFor(child.pid, child.status, hidingSinceMs ?? nowMs);
    if (dueAtMs > nowMs) {
      hidingSinceMs ??= nowMs;
      return reapAt(dueAtMs);
    }
    await takeAway(child.pid);
  }
  hidingSinceMs = undefined;
}

/** Tells of a child that has ended, unless that was done. */
function notice({ pid, status }: EndedChild): void {
  if (ended.has(pid)) return;
  if (awaited.has(pid)) return settle(pid, status);
  for (const taken of takenMeanwhile) taken.set(pid, status);
  for (const listener of orphanListeners) listener(pid, status);
}

async function takeAway(pid: number): Promise<void> {
  const options = wait.exited | wait.noHang;
  await checkOffThread((done) => waitid.async(idType.pid, pid, null, options, done), "waitid").catch(() => {
    // ECHILD: somebody else has.
  });
  ended.delete(pid);
}

// <sys/wait.h> of Linux.
const idType = { all: 0, pid: 1 } as const;
const wait = { noHang: 1, exited: 4, noWait: 0x01000000 } as const;

// siginfo_t of the 64-bit architectures, see sigaction(2).
const siginfoBytes = 128;
const siginfoAt = { code: 8, pid: 16, status: 24 } as const;
const codeExited = 1;

/** For the calls of this thread, which are over before the next one. */
const siginfo = Buffer.alloc(siginfoBytes);

/** `undefined` when it says that no child has ended. */
function decodeSiginfo(): EndedChild | undefined {
  const pid = siginfo.readInt32LE(siginfoAt.pid);
  if (pid === 0) return undefined;
  const value = siginfo.readInt32LE(siginfoAt.status);
  if (siginfo.readInt32LE(siginfoAt.code) === codeExited)
    return { pid, status: { exitCode: value, signal: undefined } };
  return { pid, status: { exitCode: undefined, signal: signalNames.get(value) ?? "SIGKILL" } };
}

const signalNames = new Map(
  Object.entries(os.constants.signals).map(([name, number]) => [number, name as NodeJS.Signals]),
);
