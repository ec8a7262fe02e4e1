import path from "node:path";
import type { Config } from "./options.ts";

/** Every path that berth uses on its own account. Nothing else joins `root` or `runroot` with a name. */
export interface Paths {
  /** Survives reboots. */
  readonly root: string;
  /** A tmpfs; ends with the machine. */
  readonly runroot: string;
  /** The CRI socket. */
  readonly socket: string;
  /** Locked while a process uses `root`, `runroot` or the socket, so that a second one refuses to start. */
  readonly rootLock: string;
  readonly runrootLock: string;
  readonly socketLock: string;

  /** Images and layers; may be on another file system than `root`. */
  readonly imageRoot: string;
  /** Writable layers of containers. */
  readonly containerLayers: string;
  /** Where roots of containers are mounted, a directory per container. */
  readonly rootfsMounts: string;

  /** Records of sandboxes: a log and what was set aside. */
  readonly sandboxRecords: string;
  /** Records of containers, likewise. */
  readonly containerRecords: string;
  /** Files of sandboxes for one boot (resolv.conf, hostname, hosts), a directory per sandbox. */
  readonly sandboxRun: string;
  /** Where /dev/shm of sandboxes is mounted, a directory per sandbox. */
  readonly sandboxShm: string;
  /** Bundles of containers and of infra containers (config.json, pid files, conmon's files), a directory per container. */
  readonly bundles: string;

  /** Directories of commands that streaming clients run, for as long as they run. */
  readonly execs: string;
  /** conmon leaves exit codes here, a file per container. */
  readonly exits: string;
  /** conmon makes attach sockets here, `<id>/attach`. */
  readonly attachSockets: string;
  /** Pinned namespaces: `<kind>ns/<sandbox id>` with kinds ipc, uts, net, user. */
  readonly namespaces: string;
  /** CNI results and the configuration used, per sandbox. */
  readonly cniCache: string;
  /** Mounts of image volumes. */
  readonly imageVolumes: string;
  /** Checkpoints that are being made, and those that containers are to be restored from: criu's images of their memory. */
  readonly checkpoints: string;
  /** Logs of pods for which the kubelet names no directory. */
  readonly podLogs: string;

  bundle(id: string): string;
  namespace(kind: NamespaceKind, id: string): string;
  /** State directory of an OCI runtime that is told none. */
  runtimeRoot(handler: string): string;
}

export type NamespaceKind = "ipc" | "uts" | "net" | "user" | "pid";

/** The paths that follow from a configuration. */
export function pathsOf(config: Config): Paths {
  const { root, runroot } = config.crio;
  const inRoot = (...names: string[]) => path.join(root, ...names);
  const inRunroot = (...names: string[]) => path.join(runroot, ...names);
  const namespaces = config.runtime.namespacesDir || inRunroot("namespaces");
  return {
    root: path.normalize(root),
    runroot: path.normalize(runroot),
    socket: config.api.listen,
    rootLock: inRoot("lock"),
    runrootLock: inRunroot("lock"),
    socketLock: `${config.api.listen}.lock`,
    imageRoot: config.crio.imagestore || inRoot("images"),
    containerLayers: inRoot("rootfs"),
    rootfsMounts: inRunroot("rootfs"),
    sandboxRecords: inRoot("sandboxes"),
    containerRecords: inRoot("containers"),
    sandboxRun: inRunroot("sandboxes"),
    sandboxShm: inRunroot("shm"),
    bundles: inRunroot("containers"),
    execs: inRunroot("exec"),
    exits: config.runtime.containerExitsDir || inRunroot("exits"),
    attachSockets: config.runtime.containerAttachSocketDir || inRunroot("attach"),
    namespaces,
    cniCache: config.berth.cniCacheDir || inRoot("cni"),
    imageVolumes: inRunroot("image-volumes"),
    checkpoints: inRoot("checkpoints"),
    podLogs: config.crio.logDir,
    bundle: (id) => inRunroot("containers", id),
    namespace: (kind, id) => path.join(namespaces, `${kind}ns`, id),
    runtimeRoot: (handler) => inRunroot("runtimes", handler),
  };
}
