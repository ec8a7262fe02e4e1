import type { ProcessIdentity } from "#kernel/process-identity.ts";
import type { OciFeatures, OciProcess, OciResources } from "#spec/oci-runtime.ts";

/** What `state` of the OCI runtime command line says (runtime.md, "State"). */
export interface RuntimeState {
  status: "creating" | "created" | "running" | "stopped" | "paused";
  /** Host pid of the init process; 0 when stopped. */
  pid: number;
}

export interface RuntimeExecResult {
  exitCode: number;
  stdout: Buffer;
  stderr: Buffer;
  /** Killed because the time was over. */
  timedOut: boolean;
}

/** A container whose process waits to be started. */
export interface CreatedContainer {
  id: string;
  bundle: string;
  process: ProcessIdentity;
}

/** Where `checkpoint` puts what it finds. Both are existing directories of their own. */
export interface RuntimeCheckpointOptions {
  /** For criu's images: memory, descriptors, the tree of processes. */
  readonly imagePath: string;
  /** For criu's log, `dump.log`, and its statistics, `stats-dump`. */
  readonly workPath: string;
  /** File that says which process does it, for a daemon that starts after this one was killed. */
  readonly processFile: string;
  /** Ends the runtime and criu; the call rejects then. */
  readonly signal: AbortSignal;
}

/** What a process that is started by `startExec` has as its standard streams. */
export interface ExecStdio {
  /** Existing and this process's own; the runtime puts its pid file there, and the identity of the process is kept there. */
  readonly directory: string;
  /** Descriptors for 0, 1 and 2; those left out are /dev/null. */
  readonly fds: Readonly<Record<number, number>>;
  /** For a process with a terminal: where its master end is sent to. */
  readonly consoleSocket?: string;
}

/** A process that runs in a container beside its first. */
export interface RuntimeExec {
  /** Resolves with its exit code, 128 + n for signal n; never rejects. */
  readonly exited: Promise<number>;
  /** Kills it and all its descendants. Nothing happens once it has ended. */
  kill(): void;
}

/**
 * One OCI runtime (runc, crun, runsc, ...) by its command line. `create` is missing: the monitor calls it.
 * Errors are DomainErrors of kind internal (not-found where the runtime knows no such container) with argv, exit code and the last words on stderr.
 */
export interface OciRuntime {
  readonly handler: string;
  /** Absolute path of the program. */
  readonly path: string;
  /** Its state directory (`--root`). */
  readonly root: string;
  /** Arguments between the program and the command, for whoever calls it itself. */
  readonly globalArgs: readonly string[];
  /** @throws DomainError also when it has ended meanwhile, or runs already */
  start(container: CreatedContainer): Promise<void>;
  /** Brings a start to its end that a daemon had begun and was killed in; nothing happens where none had begun, or where it ends by itself. */
  resumeStart(container: CreatedContainer): Promise<void>;
  /** Idempotent. `force` kills what is left first. */
  delete(id: string, options?: { force?: boolean }): Promise<void>;
  /** Sends to the init process, or with `all` to every process of the container. */
  kill(id: string, signal: string, options?: { all?: boolean }): Promise<void>;
  /** undefined when there is no such container. */
  state(id: string): Promise<RuntimeState | undefined>;
  /**
   * Changes limits.
   * @throws DomainError invalid-argument for values that the kernel or the runtime does not take, failed-precondition for those below what
   *   the container uses
   */
  update(id: string, resources: OciResources): Promise<void>;
  /**
   * Runs one more process to its end. When `timeoutMs` is over it and all its descendants are killed. At most `maxOutputBytes` of each
   * stream are kept.
   */
  exec(
    id: string,
    process: OciProcess,
    options: { timeoutMs?: number; maxOutputBytes: number },
  ): Promise<RuntimeExecResult>;
  /**
   * Starts one more process and resolves once it runs.
   * @throws DomainError internal with the runtime's last words, for a command that does not exist, say
   */
  startExec(id: string, process: OciProcess, stdio: ExecStdio): Promise<RuntimeExec>;
  pause(id: string): Promise<void>;
  resume(id: string): Promise<void>;
  /** False where the runtime has no `checkpoint` command, as crun built without criu. Asked once. */
  canCheckpoint(): Promise<boolean>;
  /**
   * Writes the state of all processes of a container to files by criu; they go on running.
   * @throws DomainError internal with the last words; criu's own are in its log
   */
  checkpoint(id: string, options: RuntimeCheckpointOptions): Promise<void>;
  /** undefined where the runtime has no `features` command. Asked once. */
  features(): Promise<OciFeatures | undefined>;
}

/** The runtimes of the configuration. */
export interface OciRuntimes {
  readonly defaultHandler: string;
  readonly handlers: readonly string[];
  /** As `get`; where the handler has a program of its own for the platform, that one. Its `handler` then ends in `@os/architecture`. */
  forPlatform(handler: string, platform: { os?: string; architecture?: string }): OciRuntime;
  /** The runtime of a handler; the default one for "". @throws DomainError invalid-argument naming what there is */
  get(handler: string): OciRuntime;
}
