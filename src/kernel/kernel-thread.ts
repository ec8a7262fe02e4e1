import { closeSync, writeSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { addReadable, createEpoll, createEventfd, isReadable, openPidfd } from "#kernel/epoll.ts";
import type { NamespacesRequest } from "#kernel/namespace-calls.ts";
import type { MadeMountView, MountViewRequest } from "#kernel/mount-view.ts";
import type { IpFamily } from "#kernel/tcp-socket.ts";
import { workerEnvironment } from "#lib/worker-environment.ts";

export type KernelThreadRequest =
  | { kind: "make-namespaces"; id: number; request: NamespacesRequest }
  | { kind: "read-in-netns"; id: number; path: string; file: string }
  | { kind: "tcp-socket-in-netns"; id: number; path: string; family: IpFamily }
  | { kind: "make-mount-view"; id: number; request: MountViewRequest }
  | { kind: "collect-garbage" }
  | { kind: "stop" };

export type KernelThreadReply =
  | { kind: "done"; id: number; value: KernelThreadValue }
  | { kind: "failed"; id: number; message: string; code: string }
  | { kind: "readable"; fd: number };

export type KernelThreadValue = string | number | MadeMountView | undefined;

/** The watch on one process. */
export interface ExitWatch {
  /** Resolves when the process has ended; at once when it does not exist. Never rejects. */
  readonly exited: Promise<void>;
  /** Gives up waiting; `exited` then stays pending. */
  close(): void;
}

const workerFile = new URL("./kernel-thread-worker.ts", import.meta.url);

/** Puts the code of the kernel thread into the cache of compiled code: it ends at once, since it is given nothing to work on. */
export async function compileKernelThread(): Promise<void> {
  const worker = new Worker(workerFile, { env: workerEnvironment() });
  await new Promise<void>((resolve) => {
    // Its failure is expected.
    worker.on("error", () => {});
    worker.once("exit", () => resolve());
  });
}

/**
 * One thread for what must not happen on the main one: blocking until processes end (pidfd), and entering or making
 * namespaces, which are a property of a thread. Stop it with `close` before the process exits: a thread inside a system call
 * cannot be ended otherwise.
 */
export class KernelThread {
  readonly #epoll = createEpoll();
  readonly #wake = createEventfd();
  readonly #worker: Worker;
  readonly #watched = new Map<number, () => void>();
  readonly #calls = new Map<number, PromiseWithResolvers<KernelThreadValue>>();
  readonly #ended: Promise<unknown>;
  #nextId = 1;

  constructor() {
    addReadable(this.#epoll, this.#wake);
    this.#worker = new Worker(workerFile, {
      name: "kernel",
      workerData: { epoll: this.#epoll, wake: this.#wake },
      env: workerEnvironment(),
      // Descriptors are made and closed by both threads; Node would warn of what it did not open itself.
      trackUnmanagedFds: false,
      resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16 },
    });
    this.#ended = new Promise((resolve) => this.#worker.once("exit", resolve));
    this.#worker.on("message", (reply: KernelThreadReply) => this.#receive(reply));
    this.#worker.on("error", (error) => this.#failAll(error));
    this.#worker.unref();
    process.once("exit", this.#stop);
  }

  // A thread blocked in a system call cannot be terminated: Node would wait for it for ever at its own end.
  readonly #stop = (): void => this.#send({ kind: "stop" });

  /**
   * Waits for any process, child or not, to end.
   * @throws SystemError when it cannot be watched, for want of descriptors or memory for example
   */
  watchExit(pid: number): ExitWatch {
    const fd = openPidfd(pid);
    if (fd === undefined) return { exited: Promise.resolve(), close() {} };
    try {
      addReadable(this.#epoll, fd, { once: true });
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const release = (): void => {
      if (!this.#watched.delete(fd)) return;
      closeSync(fd);
      this.#refer();
    };
    this.#watched.set(fd, () => {
      release();
      resolve();
    });
    this.#refer();
    return { exited: promise, close: release };
  }

  /** See `makeNamespaces`; the error has the errno name as `code`. */
  async makeNamespaces(request: NamespacesRequest): Promise<void> {
    await this.#call<undefined>((id) => ({ kind: "make-namespaces", id, request }));
  }

  /** Reads a proc file as a process in that network namespace sees it. */
  async readInNetworkNamespace(path: string, file: string): Promise<string> {
    return this.#call<string>((id) => ({ kind: "read-in-netns", id, path, file }));
  }

  /** See `tcpSocket`: a socket of that network namespace, which the caller closes; the error has the errno name as `code`. */
  async tcpSocketInNetworkNamespace(path: string, family: IpFamily): Promise<number> {
    return this.#call<number>((id) => ({ kind: "tcp-socket-in-netns", id, path, family }));
  }

  /** See `MountViews.make`; the error has the errno name as `code`. */
  async makeMountView(request: MountViewRequest): Promise<MadeMountView> {
    return this.#call<MadeMountView>((id) => ({ kind: "make-mount-view", id, request }));
  }

  /** Makes the thread give back what its start has left of JavaScript heap. It does nothing else for some 20 ms then. */
  collectGarbage(): void {
    this.#send({ kind: "collect-garbage" });
  }

  async close(): Promise<void> {
    process.off("exit", this.#stop);
    this.#worker.ref();
    this.#stop();
    await this.#ended;
    for (const fd of this.#watched.keys()) closeSync(fd);
    this.#watched.clear();
    closeSync(this.#epoll);
    closeSync(this.#wake);
  }

  /** `T` is what the thread gives for a request of this kind, see `valueOf` there. */
  #call<T extends KernelThreadValue>(request: (id: number) => KernelThreadRequest): Promise<T> {
    const id = this.#nextId++;
    const call = Promise.withResolvers<KernelThreadValue>();
    this.#calls.set(id, call);
    this.#refer();
    this.#send(request(id));
    return call.promise as Promise<T>;
  }

  /** The program goes on as long as somebody waits for this thread, no longer. */
  #refer(): void {
    if (this.#calls.size + this.#watched.size > 0) this.#worker.ref();
    else this.#worker.unref();
  }

  #send(request: KernelThreadRequest): void {
    this.#worker.postMessage(request);
    const one = Buffer.alloc(8);
    one.writeBigUInt64LE(1n);
    writeSync(this.#wake, one);
  }

  #receive(reply: KernelThreadReply): void {
    if (reply.kind === "readable") {
      const onEnd = this.#watched.get(reply.fd);
      // Its number may be another one's by now: what the thread has told of was closed before that was heard.
      if (onEnd !== undefined && isReadable(reply.fd)) onEnd();
      return;
    }
    const call = this.#calls.get(reply.id);
    this.#calls.delete(reply.id);
    this.#refer();
    if (reply.kind === "done") call?.resolve(reply.value);
    else call?.reject(Object.assign(new Error(reply.message), { code: reply.code }));
  }

  #failAll(error: unknown): void {
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
  }
}
