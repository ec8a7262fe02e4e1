import os from "node:os";
import { memoryStdio, pipedStdio } from "#kernel/command-stdio.ts";
import { check, libc, SystemError } from "#kernel/libc.ts";

// posix_spawn(3) instead of node:child_process: a fork of this process copies its page tables and stops the event loop for
// about a millisecond, posix_spawn (vfork inside) takes a tenth of that.
const posixSpawn = libc.func(
  "int posix_spawn(_Out_ int *pid, const char *path, void *fileActions, void *attributes, const char **argv, const char **envp)",
) as (
  pid: [number],
  path: string,
  fileActions: Buffer,
  attributes: Buffer,
  argv: (string | null)[],
  envp: (string | null)[],
) => number;
const fileActionsInit = libc.func("int posix_spawn_file_actions_init(void *)") as (actions: Buffer) => number;
const fileActionsDestroy = libc.func("int posix_spawn_file_actions_destroy(void *)") as (actions: Buffer) => number;
const fileActionsDup2 = libc.func("int posix_spawn_file_actions_adddup2(void *, int, int)") as (
  actions: Buffer,
  from: number,
  to: number,
) => number;
const fileActionsChdir = libc.func("int posix_spawn_file_actions_addchdir_np(void *, const char *)") as (
  actions: Buffer,
  path: string,
) => number;
const attributesInit = libc.func("int posix_spawnattr_init(void *)") as (attributes: Buffer) => number;
const attributesFlags = libc.func("int posix_spawnattr_setflags(void *, short)") as (
  attributes: Buffer,
  flags: number,
) => number;
const attributesSigDefault = libc.func("int posix_spawnattr_setsigdefault(void *, void *)") as (
  attributes: Buffer,
  set: Buffer,
) => number;
const waitpid = libc.func("int waitpid(int, _Out_ int *status, int)") as (
  pid: number,
  status: [number],
  flags: number,
) => number;
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

export interface SpawnOptions {
  /** The whole environment of the child; nothing is inherited. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** Child descriptor → descriptor of this process. 0, 1 and 2 default to /dev/null; all others are closed. */
  fds?: Readonly<Record<number, number>>;
  /** Makes the child the leader of a new session, out of reach of a terminal's signals. */
  newSession?: boolean;
}

export interface ChildProcess {
  readonly pid: number;
  /** Resolves when the child has ended and was reaped; never rejects. */
  readonly exited: Promise<ExitStatus>;
  /** Sends a signal unless the child was reaped. The pid cannot have been reused, since only this file reaps. */
  kill(signal: NodeJS.Signals): void;
}

const running = new Map<number, (status: ExitStatus) => void>();
const orphanListeners = new Set<(pid: number, status: ExitStatus) => void>();
let adopting = false;
let listening = false;

/**
 * Starts `argv[0]` (an absolute path) and returns once it was executed.
 * @throws SystemError with the errno of the failed exec (`ENOENT`, `EACCES`, ...)
 */
export function spawn(argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
  const program = argv[0] ?? "";
  const env = Object.entries(options.env ?? {}).map(([key, value]) => `${key}=${value}`);
  using actions = spawnFileActions(options);
  listenForChildren();
  const pid: [number] = [0];
  const errno = posixSpawn(pid, program, actions.buffer, spawnAttributes(options), [...argv, null], [...env, null]);
  if (errno !== 0) throw new SystemError("posix_spawn", errno, program);
  const { promise, resolve } = Promise.withResolvers<ExitStatus>();
  const child = pid[0];
  running.set(child, resolve);
  keepAlive();
  return {
    pid: child,
    exited: promise,
    kill(signal) {
      if (running.has(child)) process.kill(child, signal);
    },
  };
}

function spawnFileActions(options: SpawnOptions): { buffer: Buffer } & Disposable {
  const buffer = Buffer.alloc(256);
  fileActionsInit(buffer);
  const fds = { 0: devNull(), 1: devNull(), 2: devNull(), ...options.fds };
  const highest = Math.max(...Object.keys(fds).map(Number));
  for (const [to, from] of Object.entries(fds)) {
    if (from <= highest && from !== Number(to))
      throw new RangeError(`descriptor ${from} would be overwritten in the child`);
    fileActionsDup2(buffer, from, Number(to));
  }
  if (options.cwd !== undefined) fileActionsChdir(buffer, options.cwd);
  return {
    buffer,
    [Symbol.dispose]() {
      fileActionsDestroy(buffer);
    },
  };
}

const setSigDefault = 0x04;
const setSession = 0x80;

function spawnAttributes(options: SpawnOptions): Buffer {
  const attributes = Buffer.alloc(512);
  attributesInit(attributes);
  // Node ignores SIGPIPE, and ignored signals survive exec: give the child the defaults back.
  attributesSigDefault(attributes, Buffer.alloc(128, 0xff));
  attributesFlags(attributes, setSigDefault | (options.newSession === true ? setSession : 0));
  return attributes;
}

let devNullFd: number | undefined;
const openCall = libc.func("int open(const char *path, int flags)") as (path: string, flags: number) => number;

function devNull(): number {
  const closeOnExec = 0o2000000;
  devNullFd ??= check(openCall("/dev/null", 2 | closeOnExec), "open", "/dev/null");
  return devNullFd;
}

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

/** Calls `listener` for every adopted process that ended. Returns how to stop that. */
export function onOrphanExit(listener: (pid: number, status: ExitStatus) => void): () => void {
  orphanListeners.add(listener);
  return () => orphanListeners.delete(listener);
}

function listenForChildren(): void {
  if (listening) return;
  listening = true;
  process.on("SIGCHLD", reap);
}

// Node does not wait for signals: without something to wait for, a program would end before its children do.
let keptAlive: NodeJS.Timeout | undefined;

function keepAlive(): void {
  const longestTimerMs = 2 ** 31 - 1;
  if (running.size > 0) keptAlive ??= setInterval(() => {}, longestTimerMs);
  else {
    clearInterval(keptAlive);
    keptAlive = undefined;
  }
}

/** Takes the status of all ended children. Signals coalesce, so one may stand for many. */
function reap(): void {
  if (adopting) while (reapOne(-1));
  else for (const pid of running.keys()) reapOne(pid);
}

function reapOne(which: number): boolean {
  const noHang = 1;
  const raw: [number] = [0];
  const pid = waitpid(which, raw, noHang);
  if (pid <= 0) return false;
  const status = decodeStatus(raw[0]);
  const resolve = running.get(pid);
  running.delete(pid);
  keepAlive();
  if (resolve !== undefined) resolve(status);
  else for (const listener of orphanListeners) listener(pid, status);
  return true;
}

const signalNames = new Map(
  Object.entries(os.constants.signals).map(([name, number]) => [number, name as NodeJS.Signals]),
);

/** wait(2): the low seven bits are the signal, the next byte the exit code. */
function decodeStatus(status: number): ExitStatus {
  const signal = status & 0x7f;
  if (signal === 0) return { exitCode: (status >> 8) & 0xff, signal: undefined };
  return { exitCode: undefined, signal: signalNames.get(signal) ?? "SIGKILL" };
}

/** The exit code as a shell and the CRI count it: 128 + n for a process ended by signal n. */
export function exitCodeOf(status: ExitStatus): number {
  if (status.exitCode !== undefined) return status.exitCode;
  return 128 + (status.signal === undefined ? 0 : os.constants.signals[status.signal]);
}

export interface RunOptions extends Omit<SpawnOptions, "fds"> {
  input?: string | Uint8Array;
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Bytes of stdout and of stderr that are given back; the rest is dropped. Default 1 MiB. */
  maxOutputBytes?: number;
  /** Input and output by pipes instead of memory files: for a program that SELinux runs in a domain of its own. */
  pipes?: boolean;
}

export interface RunResult extends ExitStatus {
  stdout: Buffer;
  stderr: Buffer;
  timedOut: boolean;
}

/**
 * Runs a short command to its end and gives back what it printed; a failure of the command is a result, not an error.
 * A grandchild that keeps its output open delays nothing. A command that takes longer than `timeoutMs`, or whose `signal`
 * aborts, is killed.
 * @throws SystemError when the command cannot be started
 */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const makeStdio = options.pipes === true ? pipedStdio : memoryStdio;
  using stdio = makeStdio(options.input ?? "", options.maxOutputBytes ?? 1 << 20);
  const child = spawn(argv, { ...options, fds: stdio.fds });
  stdio.started();
  let timedOut = false;
  const timer =
    options.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          child.kill("SIGKILL");
        }, options.timeoutMs);
  const onAbort = (): void => child.kill("SIGKILL");
  options.signal?.addEventListener("abort", onAbort, { once: true });
  if (options.signal?.aborted === true) onAbort();
  const status = await child.exited;
  clearTimeout(timer);
  options.signal?.removeEventListener("abort", onAbort);
  return { ...status, ...stdio.finish(), timedOut };
}
