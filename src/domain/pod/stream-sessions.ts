import { type ExecSession, startExec } from "#domain/container/exec-stream.ts";
import { isRunning } from "#domain/container/container.ts";
import type { Container } from "#domain/container/container.ts";
import { isReady } from "#domain/sandbox/sandbox.ts";
import type { ProcessWatch } from "#drivers/processes/index.ts";
import type { IpFamily, StdioEnds, Streams, TerminalSize, WantedStdio } from "#drivers/streams/index.ts";
import { DomainError } from "#errors/domain-error.ts";
import type { PodDrivers } from "./pod-drivers.ts";

/** What is needed to join a running container. */
export interface AttachTarget {
  readonly session: number;
  /** Its monitor's socket, of type SOCK_SEQPACKET. */
  readonly socketPath: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  /** The end of the input that is written to it closes the container's stdin; otherwise it stays open for the next client. */
  readonly stdinOnce: boolean;
}

interface Attached {
  readonly watch: ProcessWatch;
  /** Settles when the container has ended or the session is over. */
  readonly over: PromiseWithResolvers<void>;
}

interface RunningExec {
  readonly exec: ExecSession;
  /** The ends belong to whoever carries the bytes. */
  taken: boolean;
}

/**
 * The processes and sockets behind exec, attach and port-forward. Whoever carries their bytes, in another thread, deals in
 * numbers: of sessions, and of descriptors, which are its own to close from the moment it has them.
 */
export class StreamSessions {
  readonly #drivers: PodDrivers;
  readonly #streams: Streams;
  readonly #execs = new Map<number, RunningExec>();
  readonly #attached = new Map<number, Attached>();
  #next = 1;

  constructor(drivers: PodDrivers, streams: Streams) {
    this.#drivers = drivers;
    this.#streams = streams;
  }

  /** See `startExec`. The caller takes over the descriptors by calling `execEnded`, which it does in any case. */
  async startExec(
    containerId: string,
    command: readonly string[],
    wanted: WantedStdio,
  ): Promise<{ session: number; stdio: StdioEnds }> {
    const container = this.#container(containerId);
    const exec = await startExec({ ...this.#drivers.container, streams: this.#streams }, container, command, wanted);
    const session = this.#next++;
    this.#execs.set(session, { exec, taken: false });
    void exec.ended.then((exitCode) => {
      this.#drivers.logger.debug("a command has ended", { container: container.id, command: command[0], exitCode });
    });
    return { session, stdio: exec.stdio };
  }

  /** Resolves with the exit code of a command; the session is over then. */
  async execEnded(session: number): Promise<number> {
    const running = this.#exec(session);
    running.taken = true;
    const exitCode = await running.exec.ended;
    this.#execs.delete(session);
    return exitCode;
  }

  killExec(session: number): void {
    this.#execs.get(session)?.exec.kill();
  }

  /** @throws DomainError not-found, failed-precondition unless the container runs */
  attach(containerId: string): AttachTarget {
    const container = this.#container(containerId);
    if (!isRunning(container) || container.process === undefined) {
      throw new DomainError(
        "failed-precondition",
        `container ${container.id} is ${container.state.kind}, only a running one can be attached to`,
      );
    }
    const { monitor, processes } = this.#drivers.container;
    const session = this.#next++;
    const watch = processes.watch(container.process);
    const over = Promise.withResolvers<void>();
    void watch.exited.then(over.resolve);
    this.#attached.set(session, { watch, over });
    const { tty, stdin, stdinOnce } = container.request;
    return { session, socketPath: monitor.attachSocket(container.id), tty, stdin, stdinOnce };
  }

  /** Resolves when the container's first process has ended, or when `detach` is called. */
  async containerEnded(session: number): Promise<void> {
    await this.#attached.get(session)?.over.promise;
  }

  detach(session: number): void {
    const attached = this.#attached.get(session);
    attached?.watch.close();
    attached?.over.resolve();
    this.#attached.delete(session);
  }

  async resize(containerId: string, size: TerminalSize): Promise<void> {
    const { monitor, bundles } = this.#drivers.container;
    await monitor.resizeTerminal(bundles.path(this.#container(containerId).id), size);
  }

  /**
   * A socket in the pod's network; the caller closes it.
   * @throws DomainError not-found, failed-precondition unless the pod is ready, unavailable
   */
  async podSocket(sandboxId: string, family: IpFamily): Promise<number> {
    const sandbox = this.#drivers.sandbox.store.index.get(sandboxId);
    if (!isReady(sandbox)) {
      throw new DomainError("failed-precondition", `pod sandbox ${sandbox.id} is ${sandbox.state.kind}, not ready`);
    }
    return this.#streams.tcpSocket(sandbox.namespaces.net, family);
  }

  /**
   * Ends everything: whoever carried the bytes is gone, and has closed the descriptors that it had taken, but for the cases in
   * docs/decisions/0005-descriptors-in-the-streaming-thread.md.
   */
  endAll(): void {
    for (const { exec, taken } of this.#execs.values()) {
      exec.kill();
      if (!taken) this.#streams.discard(exec.stdio);
    }
    this.#execs.clear();
    for (const session of this.#attached.keys()) this.detach(session);
  }

  #container(id: string): Container {
    return this.#drivers.container.store.index.get(id);
  }

  #exec(session: number): RunningExec {
    const running = this.#execs.get(session);
    if (running === undefined) throw new DomainError("not-found", `there is no exec session ${session}`);
    return running;
  }
}
