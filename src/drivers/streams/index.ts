import type { Socket } from "node:net";
import type { Duplex, Readable, Writable } from "node:stream";

/** Columns and rows of a terminal. */
export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** Which standard streams a process is to have; with a terminal all of them are the terminal. */
export interface WantedStdio {
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/**
 * Our ends of a process's standard streams, as descriptors: those that were wanted, or the terminal's master end. Plain
 * values, since another thread carries the bytes; whoever is given them closes each of them once.
 */
export interface StdioEnds {
  readonly stdin?: number;
  readonly stdout?: number;
  readonly stderr?: number;
  readonly terminal?: number;
}

/** The standard streams of one process that is going to be started. Disposing gives back everything that was not taken. */
export interface ProcessStdio extends AsyncDisposable {
  /** A directory of this process's own, for the one who starts it. */
  readonly directory: string;
  /** The process's ends, for 0, 1 and 2; closed by `started`. */
  readonly fds: Readonly<Record<number, number>>;
  /** Where the master end of the process's terminal is to be sent to (OCI's `--console-socket`). */
  readonly consoleSocket?: string;
  /**
   * To be called once the process runs: closes what only it needs, and hands our ends over.
   * @throws DomainError internal when no terminal has arrived
   */
  started(): StdioEnds;
}

export type IpFamily = 4 | 6;

/** What the main thread does for streaming sessions: descriptors are made here, and carried by whoever gets them. */
export interface Streams {
  processStdio(wanted: WantedStdio): Promise<ProcessStdio>;
  /** Closes ends that nobody has taken. */
  discard(ends: StdioEnds): void;
  /**
   * A TCP socket, not yet connected, inside the network namespace that is pinned at `netnsPath`, or the host's when
   * there is none. The caller closes it.
   * @throws DomainError unavailable when the namespace is gone or knows no such family
   */
  tcpSocket(netnsPath: string | undefined, family: IpFamily): Promise<number>;
  /** Kills processes that sessions of an earlier daemon have left, removes what is left of them, and makes the directory for new ones. */
  sweep(): Promise<void>;
}

/** A terminal's master end. It ends when no process has the terminal open any more. */
export interface Terminal extends Duplex {
  resize(size: TerminalSize): void;
}

/** A container's standard streams as its monitor shares them. */
export interface AttachedContainer {
  /** Packets of output, in order, until the monitor ends. */
  readonly output: AsyncIterable<AttachOutput>;
  /** Input to the container; ending it makes the monitor close the container's stdin unless it is to stay open. */
  readonly input: Writable;
  /** Lets go. Idempotent. */
  close(): void;
}

export interface AttachOutput {
  readonly stream: "stdout" | "stderr";
  readonly bytes: Buffer;
}

/** What carries bytes, in the thread that calls it. Each takes over the descriptor that it is given, and has closed it when it throws. */
export interface Carriers {
  /** The end of a pipe that is read from. */
  pipeSource(fd: number): Readable;
  /** The end of a pipe that is written to. */
  pipeSink(fd: number): Writable;
  /** Closes what nobody carries. */
  close(fd: number): void;
  terminal(fd: number): Terminal;
  /** Joins the container whose monitor listens at `socketPath`. @throws DomainError unavailable when nobody does */
  attach(socketPath: string): Promise<AttachedContainer>;
  /**
   * Connects a socket to a port of the loopback address in its namespace; half-open connections are kept.
   * @throws DomainError unavailable when there is no connection
   */
  connect(fd: number, family: IpFamily, port: number, signal: AbortSignal): Promise<Socket>;
}
