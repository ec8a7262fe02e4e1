import type { OciSpec } from "#spec/oci-runtime.ts";
import type { Container } from "../container.ts";
import { exampleContainerRequest } from "../request-example.ts";

// Documents of a checkpoint for tests.

export function exampleSpec(changes: Partial<OciSpec> = {}): OciSpec {
  return {
    ociVersion: "1.0.2",
    root: { path: "/run/rootfs/c/merged" },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev/shm", type: "bind", source: "/run/shm" },
      { destination: "/etc/hosts", type: "bind", source: "/var/lib/kubelet/hosts" },
      { destination: "/data", type: "bind", source: "/srv/data" },
    ],
    process: {
      args: ["app", "--serve"],
      env: ["A=1", "EMPTY"],
      cwd: "/srv",
      user: { uid: 1000, gid: 1001, additionalGids: [1001, 5] },
      terminal: true,
    },
    linux: { namespaces: [], maskedPaths: ["/proc/kcore"], readonlyPaths: ["/proc/sys"] },
    annotations: {
      "io.kubernetes.cri-o.Name": "k8s_app_pod_ns_uid_0",
      "io.kubernetes.cri-o.Stdin": "true",
      "io.kubernetes.cri-o.Annotations": JSON.stringify({
        kept: "before",
        both: "before",
        "io.kubernetes.pod.uid": "old",
      }),
    },
    ...changes,
  };
}

export const exampleConfigText = JSON.stringify({
  id: "c",
  rootfsImageRef: `sha256:${"a".repeat(64)}`,
  rootfsImageName: "registry.example/app:1",
  checkpointedTime: "2026-02-03T04:05:06.789012345Z",
});

/** A running container. */
export const exampleContainer: Container = {
  version: 1,
  id: "c",
  sandboxId: "s",
  request: exampleContainerRequest(),
  runtimeHandler: "runc",
  createdAtNs: "1700000000000000000",
  bootId: "boot",
  state: { kind: "running", startedAtNs: "1" },
  imageId: "a".repeat(64),
  imageRef: "registry.example/app@sha256:b",
  logPath: "/log",
  mounts: [],
  user: { uid: 0, gid: 0, supplementalGroups: [] },
  stopSignal: "SIGTERM",
  resources: undefined,
  cgroupsPath: "/c",
  privileged: false,
};
