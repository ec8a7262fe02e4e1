import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Territory } from "./footprint.ts";

/** Choices of a test about the daemon it starts. */
export interface DaemonSettings {
  /** `host:port` of registries that plain http may be used for. */
  insecureRegistries?: readonly string[];
  /** More of registries.conf. */
  registriesConf?: string;
  runtimePath?: string;
  conmonPath?: string;
  /** Folders of CNI plugins, searched in order. */
  pluginFolders?: readonly string[];
  /** Text of the conflist; `undefined` for a bridge with host-local and portmap, null for none at first. */
  conflist?: string | null;
  /** `key = value` lines put into a table of crio.conf, e.g. `{ "crio.image": 'pause_image = "x"' }`. */
  config?: Readonly<Record<string, string>>;
  /** Environment variables of the daemon besides our own. */
  environment?: Readonly<Record<string, string>>;
  /** Puts what belongs into /run on a tmpfs that is a shared mount, as /run is on a node with systemd. */
  sharedRunroot?: boolean;
  /** Where the image and container storage is; below the daemon's folder unless given. */
  root?: string;
}

/** Every place of a private daemon. */
export interface DaemonPlaces extends Territory {
  socket: string;
  configFile: string;
  registriesFile: string;
  conflistFolder: string;
  podLogFolder: string;
  daemonLog: string;
  subnetPrefix: string;
}

/** Whoever runs the tests may choose the cgroup driver of all daemons; scripts/guest-test.sh does. */
const cgroupManager = process.env["BERTH_TEST_CGROUP_MANAGER"] ?? "cgroupfs";

export function placesIn(folder: string, id: string, subnetPrefix: string, root?: string): DaemonPlaces {
  return {
    folder,
    root: root ?? path.join(folder, "root"),
    runroot: path.join(folder, "run"),
    cniDataFolder: path.join(folder, "cni-data"),
    bridge: `brt${id}`,
    cgroupParent: cgroupManager === "systemd" ? `/berthtest${id}.slice` : `/berth-test-${id}`,
    socket: path.join(folder, "crio.sock"),
    configFile: path.join(folder, "crio.conf"),
    registriesFile: path.join(folder, "registries.conf"),
    conflistFolder: path.join(folder, "net.d"),
    podLogFolder: path.join(folder, "pod-logs"),
    daemonLog: path.join(folder, "daemon.log"),
    subnetPrefix,
  };
}

/** Writes the configuration files that `places` names. */
export function writeConfiguration(
  places: DaemonPlaces,
  settings: DaemonSettings,
  programs: { runtimePath: string; conmonPath: string; pluginFolders: readonly string[] },
): void {
  for (const folder of [places.conflistFolder, places.podLogFolder]) mkdirSync(folder, { recursive: true });
  writeFileSync(places.configFile, crioConf(places, settings, programs));
  const insecure = (settings.insecureRegistries ?? []).map(
    (host) => `[[registry]]\nlocation = "${host}"\ninsecure = true\n`,
  );
  writeFileSync(places.registriesFile, [settings.registriesConf ?? "", ...insecure].join("\n"));
  const conflist = settings.conflist === undefined ? bridgeConflist(places) : settings.conflist;
  if (conflist !== null) writeFileSync(path.join(places.conflistFolder, "10-test.conflist"), conflist);
}

function crioConf(
  places: DaemonPlaces,
  settings: DaemonSettings,
  programs: { runtimePath: string; conmonPath: string; pluginFolders: readonly string[] },
): string {
  const below = (name: string): string => quoted(path.join(places.folder, name));
  const tables: Record<string, string[]> = {
    crio: [
      `root = ${quoted(places.root)}`,
      `runroot = ${quoted(places.runroot)}`,
      `log_dir = ${quoted(places.podLogFolder)}`,
    ],
    "crio.api": [`listen = ${quoted(places.socket)}`],
    "crio.runtime": [
      'default_runtime = "runc"',
      `cgroup_manager = ${quoted(cgroupManager)}`,
      'log_level = "debug"',
      `container_exits_dir = ${quoted(path.join(places.runroot, "exits"))}`,
      `container_attach_socket_dir = ${quoted(path.join(places.runroot, "attach"))}`,
      `namespaces_dir = ${quoted(path.join(places.runroot, "namespaces"))}`,
      "hooks_dir = []",
    ],
    "crio.runtime.runtimes.runc": [
      `runtime_path = ${quoted(programs.runtimePath)}`,
      `runtime_root = ${quoted(path.join(places.runroot, "runc"))}`,
      `monitor_path = ${quoted(programs.conmonPath)}`,
      'monitor_cgroup = "pod"',
    ],
    "crio.network": [
      `network_dir = ${quoted(places.conflistFolder)}`,
      `plugin_dirs = [${programs.pluginFolders.map(quoted).join(", ")}]`,
    ],
    berth: [
      `registries_conf = ${quoted(places.registriesFile)}`,
      `registries_conf_dir = ${below("registries.conf.d")}`,
      `registry_certs_dirs = [${below("certs.d")}]`,
      // Failing pulls are tested often; what they wait for is theirs to say.
      'registry_timeout = "5s"',
      "pull_retries = 3",
      // What a daemon holds is counted; a network that waits for a pod comes and goes at its own time.
      "standby_networks = 0",
    ],
  };
  for (const [table, text] of Object.entries(settings.config ?? {})) {
    const lines = text.split("\n").filter(Boolean);
    const replaced = new Set(lines.map(keyOf));
    tables[table] = [...(tables[table] ?? []).filter((line) => !replaced.has(keyOf(line))), ...lines];
  }
  return Object.entries(tables)
    .map(([table, lines]) => `[${table}]\n${lines.join("\n")}\n`)
    .join("\n");
}

function keyOf(line: string): string {
  return (line.split("=")[0] ?? "").trim();
}

/** A bridge of this daemon alone, without masquerading, so that removing the bridge removes everything. */
export function bridgeConflist(places: Pick<DaemonPlaces, "bridge" | "subnetPrefix" | "cniDataFolder">): string {
  return JSON.stringify(
    {
      cniVersion: "1.0.0",
      name: `net-${places.bridge}`,
      plugins: [
        {
          type: "bridge",
          bridge: places.bridge,
          isGateway: true,
          ipam: {
            type: "host-local",
            dataDir: places.cniDataFolder,
            ranges: [[{ subnet: `${places.subnetPrefix}.0/24` }]],
            routes: [{ dst: "0.0.0.0/0" }],
          },
        },
        { type: "portmap", capabilities: { portMappings: true } },
      ],
    },
    undefined,
    2,
  );
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
