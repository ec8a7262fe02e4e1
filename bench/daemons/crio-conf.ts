import { writeFileSync } from "node:fs";
import path from "node:path";
import type { Places } from "./places.ts";

/** What all contestants are given alike. */
export interface Parts {
  /** Path of the OCI runtime. */
  runtime: string;
  conmon: string;
  pluginFolder: string;
  /** `host:port` of a registry that speaks plain http. */
  registry: string;
  pauseImage: string;
  logLevel: string;
}

/** A crio.conf that berth and CRI-O read alike; `more` are lines added to tables. */
function crioConf(places: Places, parts: Parts, more: Readonly<Record<string, readonly string[]>>): string {
  const below = (...names: string[]): string => JSON.stringify(path.join(places.folder, ...names));
  const inRun = (name: string): string => JSON.stringify(path.join(places.runroot, name));
  const tables: Record<string, string[]> = {
    crio: [
      `root = ${JSON.stringify(places.root)}`,
      `runroot = ${JSON.stringify(places.runroot)}`,
      `log_dir = ${JSON.stringify(places.podLogFolder)}`,
      `version_file = ${below("version")}`,
      `version_file_persist = ${below("version-persist")}`,
      `clean_shutdown_file = ${below("clean.shutdown")}`,
    ],
    "crio.api": [`listen = ${JSON.stringify(places.socket)}`],
    "crio.runtime": [
      'default_runtime = "bench"',
      'cgroup_manager = "cgroupfs"',
      'conmon_cgroup = "pod"',
      `log_level = ${JSON.stringify(parts.logLevel)}`,
      `container_exits_dir = ${inRun("exits")}`,
      `container_attach_socket_dir = ${inRun("attach")}`,
      `namespaces_dir = ${inRun("namespaces")}`,
      "hooks_dir = []",
    ],
    "crio.runtime.runtimes.bench": [
      `runtime_path = ${JSON.stringify(parts.runtime)}`,
      'runtime_type = "oci"',
      `runtime_root = ${inRun("oci")}`,
      `monitor_path = ${JSON.stringify(parts.conmon)}`,
      'monitor_cgroup = "pod"',
    ],
    "crio.image": [`pause_image = ${JSON.stringify(parts.pauseImage)}`, `signature_policy = ${below("policy.json")}`],
    "crio.network": [
      `network_dir = ${JSON.stringify(places.conflistFolder)}`,
      `plugin_dirs = [${JSON.stringify(parts.pluginFolder)}]`,
    ],
    // Its socket's place is the same for all daemons of a machine.
    "crio.nri": ["enable_nri = false"],
  };
  for (const [table, lines] of Object.entries(more)) tables[table] = [...(tables[table] ?? []), ...lines];
  return Object.entries(tables)
    .map(([table, lines]) => `[${table}]\n${lines.join("\n")}\n`)
    .join("\n");
}

/**
 * Writes crio.conf and what it refers to: a registry that speaks plain http and no other, and a policy that accepts every image.
 * Gives back the path of each.
 */
export function writeConfiguration(
  places: Places,
  parts: Parts,
  more: Readonly<Record<string, readonly string[]>> = {},
): { crioConf: string; registriesConf: string; registriesConfFolder: string } {
  const file = (name: string): string => path.join(places.folder, name);
  const registry = `[[registry]]\nlocation = "${parts.registry}"\ninsecure = true\n`;
  writeFileSync(file("crio.conf"), crioConf(places, parts, more));
  writeFileSync(file("registries.conf"), `unqualified-search-registries = []\n\n${registry}`);
  writeFileSync(file("policy.json"), JSON.stringify({ default: [{ type: "insecureAcceptAnything" }] }));
  return {
    crioConf: file("crio.conf"),
    registriesConf: file("registries.conf"),
    registriesConfFolder: file("registries.conf.d"),
  };
}
