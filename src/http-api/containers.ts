import type { Container } from "#domain/container/container.ts";
import { fullName } from "#domain/container/full-name.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import { isHostNetwork, sandboxName } from "#domain/sandbox/sandbox.ts";
import { kindOf } from "#errors/domain-error.ts";
import { jsonAnswer, type Endpoint, type HttpApiSources } from "./endpoint.ts";

/** Keys and meanings of CRI-O's `ContainerInfo`, on which cAdvisor depends. */
export interface ContainerInfo {
  /** `k8s_<container>_<pod>_<namespace>_<uid>_<attempt>`. */
  name: string;
  /** On the host; 0 when no process runs. Of a pod: a process in its network namespace. */
  pid: number;
  image: string;
  image_ref: string;
  /** Nanoseconds since the epoch. */
  created_time: number;
  labels: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
  /** The annotations of config.json. */
  crio_annotations: Readonly<Record<string, string>>;
  log_path: string;
  /** Leads to the root while that is mounted; cAdvisor measures what the container has written in `diff` beside it. */
  root: string;
  sandbox: string;
  ip_addresses: readonly string[];
  host_network: boolean;
}

export const containers: Endpoint = {
  path: "/containers/{id}",
  summary: "What is known of a container. With the id of a pod: of its infra container, whether it has one or not.",
  answer: async (sources, id) => jsonAnswer(await containerInfo(sources, id)),
};

async function containerInfo({ runtime, rootOf }: HttpApiSources, id: string): Promise<ContainerInfo> {
  const found = findContainer(runtime, id);
  if (found === undefined) return sandboxInfo(runtime, runtime.sandboxes.get(id));
  const sandbox = runtime.sandboxes.get(found.sandboxId);
  const { pid, runtimeSpec } = parseVerbose(await runtime.containers.verbose(found));
  return {
    name: fullName(found.request.metadata, sandbox.request.metadata),
    pid,
    image: found.request.image.image,
    image_ref: found.imageRef,
    created_time: Number(found.createdAtNs),
    labels: found.request.labels,
    annotations: found.request.annotations,
    crio_annotations: runtimeSpec?.annotations ?? {},
    log_path: found.logPath,
    root: rootOf(found.id),
    ...ofSandbox(sandbox),
  };
}

function findContainer(runtime: HttpApiSources["runtime"], id: string): Container | undefined {
  try {
    return runtime.containers.get(id);
  } catch (error) {
    if (kindOf(error) === "not-found") return undefined;
    throw error;
  }
}

/** cAdvisor asks for pods too, whose cgroups look like those of containers, and reads the network by the pid. */
function sandboxInfo(runtime: HttpApiSources["runtime"], sandbox: Sandbox): ContainerInfo {
  const { labels, annotations } = sandbox.request;
  const processes = runtime.containers
    .list({ labels: {}, sandboxId: sandbox.id, state: "running" })
    .map((container) => container.process?.pid);
  return {
    name: sandboxName(sandbox.request),
    pid: sandbox.infra?.process.pid ?? processes.find((pid) => pid !== undefined) ?? 0,
    image: "",
    image_ref: "",
    created_time: Number(sandbox.createdAtNs),
    labels: { ...labels, "io.kubernetes.container.name": "POD" },
    annotations,
    crio_annotations: {},
    log_path: "",
    root: "",
    ...ofSandbox(sandbox),
  };
}

function ofSandbox(sandbox: Sandbox): Pick<ContainerInfo, "sandbox" | "ip_addresses" | "host_network"> {
  return { sandbox: sandbox.id, ip_addresses: sandbox.ips, host_network: isHostNetwork(sandbox.request) };
}

/** The part of the domain's verbose answer that is needed here. */
interface VerboseInfo {
  pid: number;
  runtimeSpec: { annotations?: Record<string, string> } | null;
}

function parseVerbose(verbose: Readonly<Record<string, string>>): VerboseInfo {
  return JSON.parse(verbose["info"] ?? "{}") as VerboseInfo;
}
