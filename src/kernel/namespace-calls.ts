import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { messageOf } from "#errors/domain-error.ts";
import { ioctl } from "#kernel/ioctl.ts";
import { check, libc } from "#kernel/libc.ts";
import { bindMount, unmount } from "#kernel/mount.ts";
import { type IpFamily, tcpSocket } from "#kernel/tcp-socket.ts";
import { sysctlPath } from "#kernel/sysctl-path.ts";

const unshareCall = libc.func("int unshare(int flags)") as (flags: number) => number;
const setnsCall = libc.func("int setns(int fd, int type)") as (fd: number, type: number) => number;
const sethostname = libc.func("int sethostname(const char *name, size_t length)") as (
  name: string,
  length: number,
) => number;
const socketCall = libc.func("int socket(int domain, int type, int protocol)") as (
  domain: number,
  type: number,
  protocol: number,
) => number;

export type NamespaceKind = "net" | "ipc" | "uts" | "user";

const cloneFlags: Record<NamespaceKind, number> = {
  net: 0x40000000,
  ipc: 0x08000000,
  uts: 0x04000000,
  user: 0x10000000,
};

/** Namespaces to make together; each is kept alive by a bind mount on its path, which the caller unmounts and removes. */
export interface NamespacesRequest {
  pins: { kind: NamespaceKind; path: string }[];
  /** Set in the new uts namespace. */
  hostname?: string;
  /** Written inside the new namespaces, e.g. `net.ipv4.ip_forward`. */
  sysctls: Record<string, string>;
  /** Pins the namespaces of this process instead of making new ones: those of a user namespace have to be made by a process of it. */
  of?: number;
}

/**
 * Makes namespaces by unsharing the calling thread, pins them, and returns the thread to where it was. Only for a thread
 * that does nothing else meanwhile. On failure no pin stays.
 * @throws SystemError
 */
export function makeNamespaces(request: NamespacesRequest): void {
  if (request.of !== undefined) {
    pinNamespacesOf(request, request.of);
    return;
  }
  using home = currentNamespaces(request.pins.map((pin) => pin.kind));
  using undo = new DisposableStack();
  const flags = request.pins.reduce((all, pin) => all | cloneFlags[pin.kind], 0);
  check(unshareCall(flags), "unshare");
  undo.defer(() => home.enter());
  configure(request);
  pin(request, "/proc/thread-self/ns");
}

/** The namespaces are entered to set them up, but for the user namespace: a thread cannot, and need not. */
function pinNamespacesOf(request: NamespacesRequest, pid: number): void {
  const kinds = request.pins.map((one) => one.kind).filter((kind) => kind !== "user");
  using home = currentNamespaces(kinds);
  using undo = new DisposableStack();
  undo.defer(() => home.enter());
  for (const kind of kinds) enterNamespace(`/proc/${pid}/ns/${kind}`, kind);
  configure(request);
  pin(request, `/proc/${pid}/ns`);
}

function configure(request: NamespacesRequest): void {
  if (request.pins.some((one) => one.kind === "net")) bringLoopbackUp();
  if (request.hostname !== undefined) {
    check(sethostname(request.hostname, Buffer.byteLength(request.hostname)), "sethostname");
  }
  for (const [name, value] of Object.entries(request.sysctls)) writeSysctl(sysctlPath(name), value);
}

/** The error of a refused value names no file by itself. */
function writeSysctl(file: string, value: string): void {
  try {
    writeFileSync(file, value);
  } catch (error) {
    throw new Error(`${file}: ${messageOf(error)}`, { cause: error });
  }
}

function pin(request: NamespacesRequest, directory: string): void {
  using failed = new DisposableStack();
  for (const one of request.pins) {
    closeSync(openSync(one.path, "a", 0o600));
    bindMount(`${directory}/${one.kind}`, one.path);
    failed.defer(() => unmount(one.path, { lazy: true }));
  }
  failed.move();
}

/** Reads a file such as /proc/thread-self/net/dev inside the network namespace pinned at `path`. */
export function readInNetworkNamespace(path: string, file: string): string {
  return inNetworkNamespace(path, () => readFileSync(file, "utf8"));
}

/** A socket of the network namespace pinned at `path`; see `tcpSocket`. */
export function tcpSocketInNetworkNamespace(path: string, family: IpFamily): number {
  return inNetworkNamespace(path, () => tcpSocket(family));
}

function inNetworkNamespace<T>(path: string, work: () => T): T {
  using home = currentNamespaces(["net"]);
  enterNamespace(path, "net");
  try {
    return work();
  } finally {
    home.enter();
  }
}

function enterNamespace(path: string, kind: NamespaceKind): void {
  const fd = openSync(path, "r");
  try {
    check(setnsCall(fd, cloneFlags[kind]), "setns", path);
  } finally {
    closeSync(fd);
  }
}

function currentNamespaces(kinds: NamespaceKind[]): { enter(): void } & Disposable {
  const fds = kinds.map((kind) => ({ kind, fd: openSync(`/proc/thread-self/ns/${kind}`, "r") }));
  return {
    enter() {
      for (const { kind, fd } of fds) check(setnsCall(fd, cloneFlags[kind]), "setns", kind);
    },
    [Symbol.dispose]() {
      for (const { fd } of fds) closeSync(fd);
    },
  };
}

/** netdevice(7): SIOCSIFFLAGS with IFF_UP on `lo` of the calling thread's network namespace. */
function bringLoopbackUp(): void {
  const [inet, datagram, closeOnExec, setFlags, up] = [2, 2, 0o2000000, 0x8914, 1];
  const fd = check(socketCall(inet, datagram | closeOnExec, 0), "socket");
  try {
    const request = Buffer.alloc(40);
    request.write("lo", 0);
    request.writeInt16LE(up, 16);
    check(ioctl(fd, setFlags, request), "ioctl SIOCSIFFLAGS", "lo");
  } finally {
    closeSync(fd);
  }
}
