// The thread that may block and may change its namespaces: it waits for processes to end and makes namespaces, and it
// never returns to its event loop until it is told to stop.
import { readSync } from "node:fs";
import { messageOf } from "#errors/domain-error.ts";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { waitReadable } from "#kernel/epoll.ts";
import type { KernelThreadReply, KernelThreadRequest, KernelThreadValue } from "#kernel/kernel-thread.ts";
import { collectGarbage } from "#lib/collect-garbage.ts";
import { MountViews } from "#kernel/mount-view.ts";
import { makeNamespaces, readInNetworkNamespace, tcpSocketInNetworkNamespace } from "#kernel/namespace-calls.ts";

const { epoll, wake } = workerData as { epoll: number; wake: number };

let mountViews: MountViews | undefined;

type Call = Exclude<KernelThreadRequest, { kind: "stop" | "collect-garbage" }>;

function perform(request: Call): KernelThreadReply {
  try {
    return { kind: "done", id: request.id, value: valueOf(request) };
  } catch (error) {
    return {
      kind: "failed",
      id: request.id,
      message: messageOf(error),
      code: error instanceof Error && "code" in error ? String(error.code) : "",
    };
  }
}

function valueOf(request: Call): KernelThreadValue {
  switch (request.kind) {
    case "make-namespaces":
      makeNamespaces(request.request);
      return undefined;
    case "read-in-netns":
      return readInNetworkNamespace(request.path, request.file);
    case "tcp-socket-in-netns":
      return tcpSocketInNetworkNamespace(request.path, request.family);
    case "make-mount-view":
      mountViews ??= new MountViews();
      return mountViews.make(request.request);
  }
}

/** Performs what has arrived; false when told to stop. */
function drain(): boolean {
  readSync(wake, Buffer.alloc(8));
  for (;;) {
    const received = receiveMessageOnPort(port);
    if (received === undefined) return true;
    const request: KernelThreadRequest = received.message;
    if (request.kind === "stop") return false;
    if (request.kind === "collect-garbage") collectGarbage();
    else port.postMessage(perform(request));
  }
}

if (parentPort === null) throw new Error("kernel-thread-worker runs as a worker thread only");
const port = parentPort;
let going = true;
while (going) {
  for (const fd of waitReadable(epoll)) {
    if (fd === wake) going = drain();
    else port.postMessage({ kind: "readable", fd } satisfies KernelThreadReply);
  }
}
mountViews?.[Symbol.dispose]();
