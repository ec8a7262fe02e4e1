import { exampleContainerRequest, exampleSandboxRequest } from "#domain/container/request-example.ts";
import type { Container } from "#domain/container/container.ts";
import type { Runtime } from "#domain/runtime.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import { DomainError } from "#errors/domain-error.ts";
import type { HttpApiSources } from "./endpoint.ts";

// One pod with one running container, for tests of the endpoints.

export const sandbox: Sandbox = {
  version: 1,
  id: "5a".repeat(32),
  request: exampleSandboxRequest({ labels: { app: "web" }, annotations: { note: "n" } }),
  runtimeHandler: "",
  createdAtNs: "1700000000123456789",
  bootId: "boot",
  state: { kind: "ready" },
  hostname: "web",
  namespaces: {},
  files: { resolvConf: "/run/resolv.conf", hostname: "/run/hostname" },
  cgroupParent: "/kubepods/web",
  ips: ["10.0.0.2", "fd00::2"],
  selinuxLevel: "",
};

export const container: Container = {
  version: 1,
  id: "c0".repeat(32),
  sandboxId: sandbox.id,
  request: exampleContainerRequest({ labels: { tier: "front" }, annotations: { a: "b" } }),
  runtimeHandler: "runc",
  createdAtNs: "1700000001000000000",
  bootId: "boot",
  state: { kind: "running", startedAtNs: "1700000002000000002" },
  imageId: "1a".repeat(32),
  imageRef: "docker.io/library/busybox@sha256:abc",
  logPath: "/var/log/pods/web/app/0.log",
  mounts: [],
  user: { uid: 1000, gid: 1000, supplementalGroups: [10, 20] },
  stopSignal: "SIGTERM",
  resources: undefined,
  cgroupsPath: "/kubepods/web/app",
  process: { pid: 4711, startTime: "1" },
  privileged: false,
};

const verbose = { pid: 4711, runtimeSpec: { annotations: { kept: "by berth" } } };

/** Sources that know the pod and the container above; `containers` replaces methods that a test watches. */
export function exampleSources(containers: Partial<Runtime["containers"]> = {}): HttpApiSources {
  const only =
    <T extends { id: string }>(entity: T) =>
    (id: string) => {
      if (entity.id.startsWith(id)) return entity;
      throw new DomainError("not-found", `there is no ${id}`);
    };
  const known: Partial<Runtime["containers"]> = {
    get: only(container),
    list: () => [container],
    verbose: () => Promise.resolve({ info: JSON.stringify(verbose) }),
    ...containers,
  };
  return {
    runtime: {
      sandboxes: { get: only(sandbox) } as unknown as Runtime["sandboxes"],
      containers: known as Runtime["containers"],
      node: { cgroupDriver: () => "cgroupfs" } as Runtime["node"],
    },
    storageRoot: "/var/lib/berth",
    imageStore: "",
    rootOf: (id) => `/var/lib/berth/${id.slice(0, 2)}/merged`,
    renderConfig: () => "[crio]\n",
  };
}
