/** A process and when it started. */
export interface MonitorProcess {
  pid: number;
  startTime: string;
}

export interface MonitoredCreate {
  id: string;
  /** Readable name, for `ps` and logs. */
  name: string;
  /** Directory of config.json; the monitor keeps its files there too. */
  bundle: string;
  runtime: { handler: string; path: string; globalArgs: readonly string[] };
  /** A program with arguments that is to be called to call the runtime; empty for none. */
  runtimeBy: readonly string[];
  /** Absolute; empty keeps no log. */
  logPath: string;
  terminal: boolean;
  stdin: boolean;
  stdinOnce: boolean;
  noPivot: boolean;
  /** Puts the monitor, which has not forked yet, into its cgroup. */
  placeMonitor(pid: number): Promise<void>;
  /** The container is restored, and runs afterwards, instead of being created. */
  restore?: MonitoredRestore;
  timeoutMs: number;
}

export interface MonitoredRestore {
  /** Directory of criu's images. */
  images: string;
  /** SELinux labels of processes and of mounts; empty without SELinux. */
  processLabel: string;
  mountLabel: string;
}

export interface Monitored {
  container: MonitorProcess;
  monitor: MonitorProcess;
}

/**
 * A monitor that waits, with all that it needs but the container's `config.json` and root file system. Disposing it ends one that still
 * waits; afterwards it does no harm.
 */
export interface LaunchedMonitor extends AsyncDisposable {
  /** Lets it go on, once. As `Monitor.create`. */
  create(): Promise<Monitored>;
}

/** How a container ended, from the monitor's own record. */
export interface ExitRecord {
  exitCode: number;
  /** Nanoseconds since the epoch, decimal. */
  finishedAtNs: string;
  /** The monitor saw the kernel's OOM killer at work. */
  oomKilled: boolean;
}

/** Watches containers: holds their stdio, writes their log, records how they ended (conmon's contract). */
export interface Monitor {
  /**
   * Starts a monitor that waits before it does anything, so that its own start takes place beside the preparation of the container. The
   * bundle's directory and the log are to be there.
   * @throws DomainError internal
   */
  launch(request: MonitoredCreate): Promise<LaunchedMonitor>;
  /**
   * Starts a monitor, which calls `runtime create`, or `restore`. On failure nothing runs and the runtime knows no such container.
   * @throws DomainError internal|invalid-argument with the runtime's last words
   */
  create(request: MonitoredCreate): Promise<Monitored>;
  /** The monitor of a container, whoever has started it; undefined when none runs. Looks at all processes. */
  find(id: string, bundle: string): Promise<MonitorProcess | undefined>;
  /** Kills a monitor that is at work on `create` or `restore`, with all that it has started. Nothing happens when none runs. */
  halt(id: string, bundle: string): Promise<void>;
  /**
   * Makes the monitor reopen the log after a rotation; resolves when the new file is there.
   * @throws DomainError failed-precondition when the log's directory is gone, deadline-exceeded
   */
  reopenLog(id: string, bundle: string, logPath: string): Promise<void>;
  resizeTerminal(bundle: string, size: { width: number; height: number }): Promise<void>;
  /** The record of a container that has ended; undefined while there is none. */
  exitRecord(id: string, bundle: string): Promise<ExitRecord | undefined>;
  /** Calls `listener` with the id of every container whose record appears. Returns how to stop that. */
  onExit(listener: (id: string) => void): () => void;
  /** Removes the record once it is taken over. Idempotent. */
  forget(id: string): Promise<void>;
  /** SOCK_SEQPACKET socket for attaching. */
  attachSocket(id: string): string;
  close(): void;
}
