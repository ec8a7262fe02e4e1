import { jsonAnswer, type Endpoint, type HttpApiSources } from "./endpoint.ts";

/** Keys and meanings of CRI-O's `CrioInfo`; cAdvisor reads `storage_driver` and `storage_root` once, at its start. */
export interface NodeInfo {
  storage_driver: "overlay";
  /** Directory of images where it is not `storage_root`; empty otherwise. */
  storage_image: string;
  storage_root: string;
  cgroup_driver: "systemd" | "cgroupfs";
  /** User namespaces that pods get without asking: berth has none. */
  default_id_mappings: { uids: IdMapping[]; gids: IdMapping[] };
}

interface IdMapping {
  container_id: number;
  host_id: number;
  size: number;
}

export const info: Endpoint = {
  path: "/info",
  summary: "Where images and containers are stored, and the cgroup driver.",
  answer: (sources) => jsonAnswer(nodeInfo(sources)),
};

function nodeInfo({ runtime, storageRoot, imageStore }: HttpApiSources): NodeInfo {
  return {
    storage_driver: "overlay",
    storage_image: imageStore,
    storage_root: storageRoot,
    cgroup_driver: runtime.node.cgroupDriver(),
    default_id_mappings: { uids: [], gids: [] },
  };
}
