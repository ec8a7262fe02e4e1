import { type ExitStatus, expectChild, isAwaited } from "#kernel/child-exits.ts";
import { memoryStdio, pipedStdio } from "#kernel/command-stdio.ts";
import { type CallDone, check, libc, offThread, SystemError } from "#kernel/libc.ts";

type SpawnArguments = [
  pid: [number],
  path: string,
  fileActions: Buffer,
  attributes: Buffer,
  argv: (string | null)[],
  envp: (string | null)[],
];

// posix_spawn(3) instead of node:child_process: a fork of this process copies its page tables and stops the event loop for
// about a millisecond, posix_spawn (vfork inside) takes a tenth of that. On another thread, since its caller waits until the
// child has had a processor and has executed the program.
const posixSpawn = libc.func(
  "int posix_spawn(_Out_ int *pid, const char *path, void *fileActions, void *attributes, const char **argv, const char **envp)",
) as { async: (...call: [...SpawnArguments, done: CallDone]) => void };
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
const attributesSigMask = libc.func("int posix_spawnattr_setsigmask(void *, void *)") as (
  attributes: Buffer,
  set: Buffer,
) => number;

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
  /** Resolves when the child has ended; never rejects. */
  readonly exited: Promise<ExitStatus>;
  /** Sends a signal unless the child has ended. The pid cannot have been reused, since children are not reaped before. */
  kill(signal: NodeJS.Signals): void;
}

/**
 * Starts `argv[0]` (an absolute path) and resolves once it was executed. The descriptors in `fds` are to be open until then.
 * @throws SystemError with the errno of the failed exec (`ENOENT`, `EACCES`, ...)
 */
export async function spawn(argv: readonly string[], options: SpawnOptions = {}): Promise<ChildProcess> {
  const program = argv[0] ?? "";
  const env = Object.entries(options.env ?? {}).map(([key, value]) => `${key}=${value}`);
  // Read by the other thread: it has to live as long as the call.
  using actions = spawnFileActions(options);
  using expected = expectChild();
  const pid: [number] = [0];
  const errno = await offThread(
    (done) =>
      posixSpawn.async(
        pid,
        program,
        actions.buffer,
        options.newSession === true ? attributes.newSession : attributes.usual,
        [...argv, null],
        [...env, null],
        done,
      ),
    (result) => result,
  );
  if (errno !== 0) throw new SystemError("posix_spawn", errno, program);
  const [child] = pid;
  const exited = expected.exit(child);
  return {
    pid: child,
    exited,
    kill(signal) {
      if (isAwaited(child)) process.kill(child, signal);
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
const setSigMask = 0x08;
const setSession = 0x80;

function spawnAttributes(flags: number): Buffer {
  const buffer = Buffer.alloc(512);
  attributesInit(buffer);
  // Node ignores SIGPIPE, and ignored signals survive exec: give the child the defaults back.
  attributesSigDefault(buffer, Buffer.alloc(128, 0xff));
  // The thread that spawns may have signals blocked, and that survives exec, too.
  attributesSigMask(buffer, Buffer.alloc(128));
  attributesFlags(buffer, setSigDefault | setSigMask | flags);
  return buffer;
}

// Kept for all calls: they hold nothing that would have to be freed.
const attributes = { usual: spawnAttributes(0), newSession: spawnAttributes(setSession) };

let devNullFd: number | undefined;
const openCall = libc.func("int open(const char *path, int flags)") as (path: string, flags: number) => number;

function devNull(): number {
  const closeOnExec = 0o2000000;
  devNullFd ??= check(openCall("/dev/null", 2 | closeOnExec), "open", "/dev/null");
  return devNullFd;
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
  const child = await spawn(argv, { ...options, fds: stdio.fds });
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
