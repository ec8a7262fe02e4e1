import type { Container } from "#domain/container/container.ts";
import { exampleContainerRequest, exampleSandboxRequest } from "#domain/container/request-example.ts";
import type { Image } from "#domain/image/image.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";

// A pod, its running container and an image, for tests of what shows them.

export function exampleSandbox(changes: Partial<Sandbox> = {}): Sandbox {
  return {
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
    ...changes,
  };
}

export function exampleContainer(changes: Partial<Container> = {}): Container {
  return {
    version: 1,
    id: "c0".repeat(32),
    sandboxId: "5a".repeat(32),
    request: exampleContainerRequest({ labels: { tier: "front" }, annotations: { a: "b" } }),
    runtimeHandler: "runc",
    createdAtNs: "1700000001000000001",
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
    privileged: false,
    ...changes,
  };
}

export function exampleImage(changes: Partial<Image> = {}): Image {
  return {
    id: "1a".repeat(32),
    repoTags: ["docker.io/library/busybox:latest"],
    repoDigests: ["docker.io/library/busybox@sha256:abc"],
    sizeBytes: 4_000_000,
    pinned: false,
    config: undefined,
    annotations: {},
    ...changes,
  };
}
