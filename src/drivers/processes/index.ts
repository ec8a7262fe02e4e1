/** A process and when it started (clock ticks since boot), so that a reused pid is never mistaken for it. */
export interface ProcessRef {
  pid: number;
  startTime: string;
}

export interface ProcessWatch {
  /** Resolves when the process has ended; at once when it is already gone. Never rejects. */
  readonly exited: Promise<void>;
  close(): void;
}

/** Processes that others have started. */
export interface Processes {
  /** Undefined when there is no such process. */
  identify(pid: number): ProcessRef | undefined;
  isAlive(process: ProcessRef): boolean;
  /** False when the process is gone. `signal` is a name (`SIGTERM`, `SIGRTMIN+3`). @throws DomainError invalid-argument for no signal */
  signal(process: ProcessRef, signal: string): boolean;
  /**
   * A process that cannot be watched now, for want of descriptors or memory, is watched as soon as there are some; `exited` is pending until then.
   * @throws Error when the kernel or a security policy lets nobody watch it
   */
  watch(process: ProcessRef): ProcessWatch;
  /** Exit code of an orphan that this daemon has reaped lately; undefined when somebody else did. */
  reapedExitCode(pid: number): number | undefined;
}
