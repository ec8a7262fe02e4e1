import { closeSync, watch, writeSync } from "node:fs";
import type { FSWatcher } from "node:fs";
import { mkdir, open, readFile, rm, stat } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { memoryFile } from "#kernel/memory-file.ts";
import { pipe } from "#kernel/pipe.ts";
import { identify } from "#kernel/process-identity.ts";
import { killTree } from "#kernel/process-tree.ts";
import { run, spawn } from "#kernel/spawn.ts";
import type { Logger } from "#observability/logger.ts";
import { conmonArguments, type ConmonProgram, type ConmonSettings } from "./conmon-arguments.ts";
import { findMonitors } from "./find-monitors.ts";
import { readSyncPipe } from "./sync-pipe.ts";
import type { ExitRecord, Monitor, Monitored, MonitoredCreate, MonitorProcess } from "./index.ts";

export interface ConmonOptions extends ConmonSettings {
  /** The program that watches the containers of a runtime handler. */
  program(this: void, handler: string): ConmonProgram;
}

/** conmon: one small C program per container, which outlives the daemon. */
export async function createConmon(options: ConmonOptions, logger: Logger): Promise<Monitor> {
  await mkdir(options.exitsDirectory, { recursive: true, mode: 0o711 });
  await mkdir(options.attachDirectory, { recursive: true, mode: 0o711 });
  const helpTexts = new HelpTexts();
  const listeners = new Set<(id: string) => void>();
  const watcher = watchExits(options.exitsDirectory, listeners, logger);
  const recordOf = (id: string): string => path.join(options.exitsDirectory, id);

  return {
    async create(request) {
      const program = options.program(request.runtime.handler);
      const argv = conmonArguments(program, options, await helpTexts.of(program), request);
      return startConmon(argv, program, request);
    },

    async find(id, bundle) {
      return findMonitors(id, bundle)[0];
    },

    async halt(id, bundle) {
      for (const { pid } of findMonitors(id, bundle)) killTree(pid);
    },

    async reopenLog(_id, bundle, logPath) {
      const reopen = "2 0 0\n";
      await rewritten(logPath, () => writeControl(bundle, reopen));
    },

    async resizeTerminal(bundle, size) {
      await writeControl(bundle, `1 ${size.height} ${size.width}\n`);
    },

    async exitRecord(id, bundle) {
      return readExitRecord(recordOf(id), bundle);
    },

    onExit(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    async forget(id) {
      await rm(recordOf(id), { force: true });
      await rm(path.join(options.attachDirectory, id), { recursive: true, force: true });
    },

    attachSocket(id) {
      return path.join(options.attachDirectory, id, "attach");
    },

    close() {
      watcher.close();
    },
  };
}

/** conmon renames the record in from a temporary name, which begins with a dot. */
function watchExits(directory: string, listeners: ReadonlySet<(id: string) => void>, logger: Logger): FSWatcher {
  const watcher = watch(directory, (_event, name) => {
    if (name === null || name.startsWith(".")) return;
    for (const listener of listeners) listener(name);
  });
  watcher.on("error", (error) => logger.error(`watching ${directory} for ended containers failed`, { error }));
  return watcher;
}

/** What each program's `--help` says, asked once. */
class HelpTexts {
  readonly #texts = new Map<string, Promise<string>>();

  of({ path: program, env }: ConmonProgram): Promise<string> {
    const known = this.#texts.get(program);
    if (known !== undefined) return known;
    const asked = run([program, "--help"], { env, timeoutMs: 10_000 }).then(({ stdout }) => stdout.toString());
    this.#texts.set(program, asked);
    // A machine under load may answer the next time.
    asked.catch(() => this.#texts.delete(program));
    return asked;
  }
}

async function startConmon(
  argv: readonly string[],
  program: ConmonProgram,
  request: MonitoredCreate,
): Promise<Monitored> {
  using descriptors = new DisposableStack();
  const sync = pipe();
  const closeSyncWrite = closeOnce(sync.writeFd, descriptors);
  const start = pipe();
  const closeStartRead = closeOnce(start.readFd, descriptors);
  const closeStartWrite = closeOnce(start.writeFd, descriptors);
  using stderr = memoryFile();
  const answer = readSyncPipe(sync.readFd, request.timeoutMs);
  try {
    const child = await spawn(argv, {
      env: { ...program.env, _OCI_SYNCPIPE: "3", _OCI_STARTPIPE: "4" },
      cwd: request.bundle,
      fds: { 2: stderr.fd, 3: sync.writeFd, 4: start.readFd },
    });
    closeSyncWrite();
    closeStartRead();
    // conmon waits for this byte before it forks, so that all it makes is born in the right cgroup.
    await request.placeMonitor(child.pid);
    writeSync(start.writeFd, "\0");
    closeStartWrite();
    const reply = await answer;
    if (reply.pid <= 0) throw createError(program, request, reply.message, stderr.read(1 << 14).toString());
    const monitor = await monitorProcess(request.bundle);
    return { container: identify(reply.pid) ?? { pid: reply.pid, startTime: "" }, monitor };
  } catch (error) {
    closeSyncWrite();
    if (error instanceof DomainError) throw error;
    throw new DomainError("internal", `container ${request.id}: monitor ${program.path} failed: ${messageOf(error)}`, {
      cause: error,
      facts: { argv },
    });
  }
}

/** Closes a descriptor at the latest when the stack is disposed, and never twice. */
function closeOnce(fd: number, stack: DisposableStack): () => void {
  let open = true;
  const close = (): void => {
    if (open) closeSync(fd);
    open = false;
  };
  stack.defer(close);
  return close;
}

function createError(program: ConmonProgram, request: MonitoredCreate, message: string, stderr: string): DomainError {
  const words = message.trim() === "" ? stderr.trim() : message.trim();
  const noSuchCommand =
    /executable file not found|no such file or directory|permission denied|not a directory/i.test(words) &&
    /exec/i.test(words);
  return new DomainError(
    noSuchCommand ? "invalid-argument" : "internal",
    `container ${request.id}: ${request.runtime.path} ${request.restore === undefined ? "create" : "restore"} (by ${program.path}) failed: ${words || "it said nothing"}`,
    { facts: { runtime: request.runtime.path, monitor: program.path, stderr: stderr.trim() } },
  );
}

async function monitorProcess(bundle: string): Promise<MonitorProcess> {
  const pid = Number((await readFile(path.join(bundle, "conmon-pidfile"), "utf8")).trim());
  return identify(pid) ?? { pid, startTime: "" };
}

async function readExitRecord(file: string, bundle: string): Promise<ExitRecord | undefined> {
  try {
    const [text, { ctimeNs }] = await Promise.all([readFile(file, "utf8"), stat(file, { bigint: true })]);
    const exitCode = Number.parseInt(text, 10);
    if (Number.isNaN(exitCode)) return undefined;
    const oomKilled = await stat(path.join(bundle, "oom")).then(
      () => true,
      () => false,
    );
    return { exitCode, finishedAtNs: String(ctimeNs), oomKilled };
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** The control fifo has a reader as long as the monitor lives; without one the open fails instead of waiting. */
async function writeControl(bundle: string, command: string): Promise<void> {
  const fifo = path.join(bundle, "ctl");
  const writeOnlyNonBlocking = 0o4001;
  try {
    const handle = await open(fifo, writeOnlyNonBlocking);
    try {
      await handle.write(command);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new DomainError(
      "failed-precondition",
      `the monitor of ${bundle} does not listen on ${fifo}: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

/** Runs `action` and resolves once `file` was made or replaced after it. */
async function rewritten(file: string, action: () => Promise<void>): Promise<void> {
  const timeoutMs = 10_000;
  const before = await inode(file);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const look = (): void => {
    inode(file).then((now) => {
      if (now !== undefined && now !== before) resolve();
    }, reject);
  };
  const watcher = watch(path.dirname(file), look);
  const timer = setTimeout(
    () =>
      reject(new DomainError("deadline-exceeded", `the monitor did not reopen ${file} within ${timeoutMs / 1000} s`)),
    timeoutMs,
  );
  try {
    await action();
    look();
    await promise;
  } finally {
    clearTimeout(timer);
    watcher.close();
  }
}

async function inode(file: string): Promise<bigint | undefined> {
  try {
    return (await stat(file, { bigint: true })).ino;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
