import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { mount } from "#kernel/mount.ts";
import type { Territory } from "../../test/support/footprint.ts";
import { freeSubnetPrefix } from "../../test/support/subnet.ts";

/** Every place of one contestant: nothing is shared with another daemon on the machine. */
export interface Places extends Territory {
  name: string;
  socket: string;
  conflistFolder: string;
  podLogFolder: string;
  daemonLog: string;
  /** Name of the CNI network, which masquerading rules and cached results carry. */
  network: string;
  subnet: string;
  /** Parent of all pods' cgroups, below `cgroupParent`. */
  podsCgroup: string;
}

export interface NetworkSettings {
  /** Rewrite the source of what pods send out, as most clusters do; it costs iptables calls per pod. */
  masquerade: boolean;
}

/** Says in each folder whose it is, so that a later run can take away what a killed one has left. */
export const placesFile = "places.json";

export interface OwnedPlaces {
  /** Process id of the run. */
  owner: number;
  places: Places;
}

const takenOctets = new Set<string>();

/** Makes the folders of a contestant and the CNI configuration, which differs between contestants only in names and addresses. */
export function makePlaces(name: string, id: string, network: NetworkSettings): Places {
  // Short, because a unix socket's path may have 107 bytes.
  const folder = mkdtempSync(path.join(tmpdir(), `bench-${name}-`));
  const places: Places = {
    name,
    folder,
    root: path.join(folder, "root"),
    runroot: path.join(folder, "run"),
    cniDataFolder: path.join(folder, "cni-data"),
    bridge: `bb${id}${name.slice(0, 3)}`,
    cgroupParent: `/berth-bench-${id}-${name}`,
    podsCgroup: `/berth-bench-${id}-${name}/pods`,
    socket: path.join(folder, "cri.sock"),
    conflistFolder: path.join(folder, "net.d"),
    podLogFolder: path.join(folder, "pod-logs"),
    daemonLog: path.join(folder, "daemon.log"),
    network: `bench-${id}-${name}`,
    subnet: freeSubnet(),
  };
  const owned: OwnedPlaces = { owner: process.pid, places };
  writeFileSync(path.join(folder, placesFile), JSON.stringify(owned));
  for (const made of [places.root, places.runroot, places.conflistFolder, places.podLogFolder]) mkdirSync(made);
  // As /run is on a node. It goes with all else that is mounted below the folder.
  mount("bench", places.runroot, "tmpfs", 0, "mode=755");
  writeFileSync(path.join(places.conflistFolder, "10-bench.conflist"), conflist(places, network));
  return places;
}

/** The plugin list that every contestant runs. */
export function conflist(places: Places, { masquerade }: NetworkSettings): string {
  const bridge = {
    type: "bridge",
    bridge: places.bridge,
    isGateway: true,
    ipMasq: masquerade,
    ipam: {
      type: "host-local",
      dataDir: places.cniDataFolder,
      ranges: [[{ subnet: places.subnet }]],
      routes: [{ dst: "0.0.0.0/0" }],
    },
  };
  return JSON.stringify({ cniVersion: "1.0.0", name: places.network, plugins: [bridge] }, undefined, 2);
}

/** A /20, so that a thousand pods find an address. */
function freeSubnet(): string {
  for (;;) {
    const [, second = "", third = "0"] = freeSubnetPrefix().split(".");
    if (takenOctets.has(second)) continue;
    takenOctets.add(second);
    return `10.${second}.${Number(third) & 0xf0}.0/20`;
  }
}
