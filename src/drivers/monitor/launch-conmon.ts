import { closeSync, writeSync } from "node:fs";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { type MemoryFile, memoryFile } from "#kernel/memory-file.ts";
import { pipe } from "#kernel/pipe.ts";
import { identify } from "#kernel/process-identity.ts";
import type { SmallFiles } from "#kernel/small-files.ts";
import { type ChildProcess, spawn } from "#kernel/spawn.ts";
import type { ConmonProgram } from "./conmon-arguments.ts";
import { haltMonitors } from "./find-monitors.ts";
import type { LaunchedMonitor, Monitored, MonitoredCreate, MonitorProcess } from "./index.ts";
import { readSyncPipe } from "./sync-pipe.ts";

/** Starts conmon up to the point where it waits for its start pipe, and puts it into its cgroup there. */
export async function launchConmon(
  argv: readonly string[],
  program: ConmonProgram,
  request: MonitoredCreate,
  files: SmallFiles,
): Promise<LaunchedMonitor> {
  await using undo = new AsyncDisposableStack();
  const conmon = undo.use(new Conmon(argv, program, request, files));
  await conmon.launch();
  undo.move();
  return conmon;
}

/** What this process has of a conmon until the container is there. */
class Conmon implements LaunchedMonitor {
  readonly #argv: readonly string[];
  readonly #program: ConmonProgram;
  readonly #request: MonitoredCreate;
  readonly #files: SmallFiles;
  readonly #descriptors = new DisposableStack();
  readonly #syncRead: Descriptor;
  readonly #syncWrite: Descriptor;
  readonly #startRead: Descriptor;
  readonly #startWrite: Descriptor;
  readonly #stderr: MemoryFile;
  #waiting: ChildProcess | undefined;

  constructor(argv: readonly string[], program: ConmonProgram, request: MonitoredCreate, files: SmallFiles) {
    this.#argv = argv;
    this.#program = program;
    this.#request = request;
    this.#files = files;
    try {
      const sync = pipe();
      this.#syncRead = this.#descriptors.use(new Descriptor(sync.readFd));
      this.#syncWrite = this.#descriptors.use(new Descriptor(sync.writeFd));
      const start = pipe();
      this.#startRead = this.#descriptors.use(new Descriptor(start.readFd));
      this.#startWrite = this.#descriptors.use(new Descriptor(start.writeFd));
      this.#stderr = this.#descriptors.use(memoryFile());
    } catch (error) {
      this.#descriptors.dispose();
      throw this.#failed(error);
    }
  }

  async launch(): Promise<void> {
    try {
      const child = await spawn(this.#argv, {
        env: { ...this.#program.env, _OCI_SYNCPIPE: "3", _OCI_STARTPIPE: "4" },
        cwd: this.#request.bundle,
        fds: { 2: this.#stderr.fd, 3: this.#syncWrite.fd, 4: this.#startRead.fd },
      });
      this.#waiting = child;
      this.#syncWrite.close();
      this.#startRead.close();
      // It has not forked: all that it makes is born in the right cgroup.
      await this.#request.placeMonitor(child.pid);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  async create(): Promise<Monitored> {
    const { id, bundle, timeoutMs } = this.#request;
    try {
      const answer = readSyncPipe(this.#syncRead.handOver(), timeoutMs);
      this.#waiting = undefined;
      this.#allow();
      const { pid, message } = await answer.catch((error: unknown) => {
        // It would make the container after all else was undone.
        haltMonitors(id, bundle);
        throw error;
      });
      if (pid <= 0) throw createError(this.#program, this.#request, message, this.#stderr.read(1 << 14).toString());
      const monitor = await this.#monitorProcess(bundle);
      return { container: identify(pid) ?? { pid, startTime: "" }, monitor };
    } catch (error) {
      throw this.#failed(error);
    }
  }

  #allow(): void {
    try {
      writeSync(this.#startWrite.fd, "\0");
    } catch (error) {
      // It has ended, and its answer and its last words say why.
      if (!hasErrno(error, "EPIPE")) throw error;
    }
    this.#startWrite.close();
  }

  async #monitorProcess(bundle: string): Promise<MonitorProcess> {
    const pid = Number((await this.#files.read(path.join(bundle, "conmon-pidfile"))).trim());
    return identify(pid) ?? { pid, startTime: "" };
  }

  #failed(error: unknown): DomainError {
    if (error instanceof DomainError) return error;
    return new DomainError(
      "internal",
      `container ${this.#request.id}: monitor ${this.#program.path} failed: ${messageOf(error)}`,
      { cause: error, facts: { argv: this.#argv } },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#waiting;
    // Before its pipe is closed, whose end it would take for the permission to go on.
    child?.kill("SIGKILL");
    await child?.exited;
    this.#descriptors.dispose();
  }
}

/** A descriptor that is closed once: by its owner, at the latest with it, or by whom it was handed over to. */
class Descriptor implements Disposable {
  readonly fd: number;
  #open = true;

  constructor(fd: number) {
    this.fd = fd;
  }

  handOver(): number {
    this.#open = false;
    return this.fd;
  }

  close(): void {
    if (this.#open) closeSync(this.fd);
    this.#open = false;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A limit that the kernel or runc does not take: the file of a cgroup and what the kernel said of the value, or runc's own words. */
const refusedLimit =
  /write \S*\/cgroup\/\S*\/(cpu|cpuset|memory|hugetlb|io|blkio|pids)\.[^:\s]+: (invalid argument|numerical result out of range)|allowed cpu-shares is/i;

function createError(program: ConmonProgram, request: MonitoredCreate, message: string, stderr: string): DomainError {
  const words = message.trim() === "" ? stderr.trim() : message.trim();
  const noSuchCommand =
    /executable file not found|no such file or directory|permission denied|not a directory/i.test(words) &&
    /exec/i.test(words);
  return new DomainError(
    noSuchCommand || refusedLimit.test(words) ? "invalid-argument" : "internal",
    `container ${request.id}: ${request.runtime.path} ${request.restore === undefined ? "create" : "restore"} (by ${program.path}) failed: ${words || "it said nothing"}`,
    { facts: { runtime: request.runtime.path, monitor: program.path, stderr: stderr.trim() } },
  );
}
