import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Parts } from "./crio-conf.ts";
import { OwnDaemon } from "./daemon.ts";
import type { Places } from "./places.ts";

/** Where shims listen, whatever the configuration says. */
const shimSockets = "/run/containerd/s";

/** containerd from PATH, prepared and not started. */
export function prepareContainerd(places: Places, parts: Parts, program: string): OwnDaemon {
  const file = (...names: string[]): string => path.join(places.folder, ...names);
  const certs = file("certs.d", parts.registry.replace(":", "_"));
  for (const folder of [certs, file("certs.d", parts.registry)]) {
    mkdirSync(folder, { recursive: true });
    const hosts = `server = "http://${parts.registry}"\n[host."http://${parts.registry}"]\n  capabilities = ["pull", "resolve"]\n`;
    writeFileSync(path.join(folder, "hosts.toml"), hosts);
  }
  writeFileSync(file("containerd.toml"), configuration(places, parts, file("certs.d")));
  const before = new Set(listOrEmpty(shimSockets));
  return new OwnDaemon(places, {
    argv: [program, "--config", file("containerd.toml"), "--log-level", parts.logLevel],
    cleanUp: () => removeDeadSockets(before),
  });
}

function configuration(places: Places, parts: Parts, certsFolder: string): string {
  const text = (value: string): string => JSON.stringify(value);
  return `version = 2
root = ${text(places.root)}
state = ${text(places.runroot)}
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]
[grpc]
  address = ${text(places.socket)}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${text(parts.pauseImage)}
  netns_mounts_under_state_dir = true
  # The pause container asks for a score that only CAP_SYS_RESOURCE gives.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = ${text(parts.pluginFolder)}
    conf_dir = ${text(places.conflistFolder)}
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = ${text(certsFolder)}
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "bench"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.bench]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.bench.options]
        BinaryName = ${text(parts.runtime)}
        Root = ${text(path.join(places.runroot, "oci"))}
`;
}

/** Sockets of shims that were killed stay behind; those that the kernel does not list have no listener. */
function removeDeadSockets(before: ReadonlySet<string>): void {
  const alive = readFileSync("/proc/net/unix", "utf8");
  for (const name of listOrEmpty(shimSockets)) {
    const socket = path.join(shimSockets, name);
    if (!before.has(name) && !alive.includes(socket)) rmSync(socket, { force: true });
  }
}

function listOrEmpty(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
