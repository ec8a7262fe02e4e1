import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { SandboxRequest } from "#domain/sandbox/request.ts";
import {
  NamespaceMode,
  PodSandboxConfigSchema,
  PodSandboxMetadataSchema,
  Protocol,
  SecurityProfile_ProfileType as ProfileType,
  SupplementalGroupsPolicy,
} from "../gen/runtime/v1/api_pb.ts";
import { sandboxRequestFromWire } from "./sandbox-request.ts";

const metadata = { name: "web", uid: "u1", namespace: "default", attempt: 2 };

function translated(config: MessageInitShape<typeof PodSandboxConfigSchema>): SandboxRequest {
  const message = create(PodSandboxConfigSchema, config);
  message.metadata ??= create(PodSandboxMetadataSchema, metadata);
  return sandboxRequestFromWire(message, "config");
}

function refused(config: MessageInitShape<typeof PodSandboxConfigSchema>, message: string | RegExp): void {
  assert.throws(() => translated(config), { kind: "invalid-argument", message });
}

describe("PodSandboxConfig", () => {
  it("says with its zero values that everything is shared with the pod and nothing is given", () => {
    assert.deepEqual(translated({}), {
      metadata,
      hostname: "",
      logDirectory: "",
      dnsConfig: undefined,
      portMappings: [],
      labels: {},
      annotations: {},
      linux: {
        cgroupParent: "",
        securityContext: {
          namespaceOptions: { network: "pod", pid: "pod", ipc: "pod", targetId: "", userns: undefined },
          selinux: undefined,
          runAsUser: undefined,
          runAsGroup: undefined,
          readonlyRootfs: false,
          supplementalGroups: [],
          supplementalGroupsPolicy: "merge",
          privileged: false,
          seccomp: { type: "unset" },
          apparmor: { type: "unset" },
        },
        sysctls: {},
        overhead: undefined,
        resources: undefined,
      },
    });
  });

  it("keeps what is given", () => {
    const request = translated({
      hostname: "web",
      logDirectory: "/var/log/pods/x",
      dnsConfig: { servers: ["10.96.0.10"], searches: ["svc"], options: ["ndots:5"] },
      portMappings: [{ protocol: Protocol.UDP, containerPort: 53, hostPort: 5353, hostIp: "::1" }],
      labels: { a: "b" },
      annotations: { c: "d" },
      linux: {
        cgroupParent: "/kubepods",
        sysctls: { "net.ipv4.ip_forward": "1" },
        overhead: { cpuShares: 10n },
        securityContext: {
          namespaceOptions: {
            network: NamespaceMode.NODE,
            pid: NamespaceMode.CONTAINER,
            usernsOptions: { mode: NamespaceMode.POD, uids: [{ hostId: 100_000, containerId: 0, length: 65_536 }] },
          },
          selinuxOptions: { type: "t", level: "s0" },
          runAsUser: { value: 0n },
          runAsGroup: { value: 7n },
          supplementalGroups: [1n, 2n],
          supplementalGroupsPolicy: SupplementalGroupsPolicy.Strict,
          seccomp: { profileType: ProfileType.Localhost, localhostRef: "/p.json" },
          apparmor: { profileType: ProfileType.Unconfined },
        },
      },
    });
    assert.deepEqual(request.portMappings, [{ protocol: "udp", containerPort: 53, hostPort: 5353, hostIp: "::1" }]);
    assert.deepEqual(request.dnsConfig, { servers: ["10.96.0.10"], searches: ["svc"], options: ["ndots:5"] });
    assert.equal(request.linux.overhead?.cpuShares, 10);
    const context = request.linux.securityContext;
    assert.deepEqual(context.namespaceOptions, {
      network: "node",
      pid: "container",
      ipc: "pod",
      targetId: "",
      userns: { mode: "pod", uids: [{ hostId: 100_000, containerId: 0, length: 65_536 }], gids: [] },
    });
    assert.deepEqual(context.selinux, { user: "", role: "", type: "t", level: "s0" });
    assert.deepEqual([context.runAsUser, context.runAsGroup], [0, 7]);
    assert.deepEqual([context.supplementalGroups, context.supplementalGroupsPolicy], [[1, 2], "strict"]);
    assert.deepEqual(context.seccomp, { type: "localhost", localhostRef: "/p.json" });
    assert.deepEqual(context.apparmor, { type: "unconfined" });
  });

  it("takes an empty DNS configuration as none", () => {
    assert.equal(translated({ dnsConfig: {} }).dnsConfig, undefined);
  });

  it("understands the deprecated path of a seccomp profile, which the new field overrides", () => {
    const seccomp = (path: string, profileType?: ProfileType) =>
      translated({
        linux: {
          securityContext: {
            seccompProfilePath: path,
            ...(profileType === undefined ? {} : { seccomp: { profileType } }),
          },
        },
      }).linux.securityContext.seccomp;
    assert.deepEqual(seccomp("runtime/default"), { type: "runtime-default" });
    assert.deepEqual(seccomp("docker/default"), { type: "runtime-default" });
    assert.deepEqual(seccomp("unconfined"), { type: "unconfined" });
    assert.deepEqual(seccomp("localhost//etc/p.json"), { type: "localhost", localhostRef: "/etc/p.json" });
    assert.deepEqual(seccomp("unconfined", ProfileType.RuntimeDefault), { type: "runtime-default" });
    assert.throws(() => seccomp("localhost/"), {
      kind: "invalid-argument",
      message: /seccomp_profile_path is none of/,
    });
  });

  it("is refused with the name of the field that is missing or wrong", () => {
    assert.throws(() => sandboxRequestFromWire(undefined, "config"), {
      kind: "invalid-argument",
      message: "config is missing",
    });
    assert.throws(() => sandboxRequestFromWire(create(PodSandboxConfigSchema), "config"), {
      message: "config.metadata is missing",
    });
    refused({ metadata: { ...metadata, name: "" } }, "config.metadata.name is missing");
    refused({ metadata: { ...metadata, uid: "" } }, "config.metadata.uid is missing");
    refused({ metadata: { ...metadata, namespace: "" } }, "config.metadata.namespace is missing");
    refused({ logDirectory: "logs" }, 'config.log_directory is not an absolute path: "logs"');
    refused({ portMappings: [{ containerPort: -1 }] }, "config.port_mappings[0].container_port is not a port: -1");
    refused(
      { portMappings: [{ containerPort: 0, hostPort: 80 }] },
      "config.port_mappings[0].container_port is missing, for port 80 of the host",
    );
    refused(
      { linux: { securityContext: { namespaceOptions: { pid: NamespaceMode.TARGET } } } },
      "config.linux.security_context.namespace_options.target_id is missing",
    );
    refused(
      { linux: { securityContext: { runAsUser: { value: -1n } } } },
      "config.linux.security_context.run_as_user is not a user or group id: -1",
    );
    refused(
      { linux: { securityContext: { seccomp: { profileType: ProfileType.Localhost } } } },
      "config.linux.security_context.seccomp.localhost_ref is missing",
    );
    refused({ linux: { resources: { cpuPeriod: -5n } } }, "config.linux.resources.cpu_period is negative: -5");
  });

  it("is refused when a text has characters that it cannot have where it goes", () => {
    refused({ hostname: "a\nb" }, 'config.hostname is not a host name: "a\\nb"');
    refused({ hostname: "a#b" }, 'config.hostname is not a host name: "a#b"');
    refused({ hostname: "a\0" }, 'config.hostname contains a NUL character: "a\\u0000"');
    refused({ metadata: { ...metadata, name: "a\nb" } }, 'config.metadata.name contains a control character: "a\\nb"');
    refused(
      { dnsConfig: { searches: ["a", "b\nnameserver 1.2.3.4"] } },
      /^config.dns_config.searches\[1\] contains white/,
    );
    refused(
      { dnsConfig: { options: ["ndots:5\nnameserver 1.2.3.4"] } },
      /^config.dns_config.options\[0\] contains a control/,
    );
    const several = { servers: [], searches: [], options: ["ndots:5 timeout:1"] };
    assert.deepEqual(translated({ dnsConfig: several }).dnsConfig, several);
    refused({ annotations: { "a\0": "b" } }, /^a key of config.annotations contains a NUL/);
    refused({ labels: { a: "\0" } }, /^config.labels.a contains a NUL/);
    refused({ linux: { cgroupParent: "/a\nb" } }, /^config.linux.cgroup_parent contains a control character/);
    refused({ linux: { resources: { cpusetCpus: "0\n1" } } }, /^config.linux.resources.cpuset_cpus is not a list/);
  });

  it("is refused for a sysctl whose name would lead out of the sysctls", () => {
    for (const name of ["net.//.kernel.panic", "net..x", "kernel", "net.a b", ".net.x"])
      refused(
        { linux: { sysctls: { [name]: "1" } } },
        /^config.linux.sysctls has a key that is not the name of a sysctl/,
      );
    const sysctls = { "net.ipv4.conf.eth0/1.forwarding": "1", "net/ipv4/ip_local_port_range": "1024\t2048" };
    assert.deepEqual(translated({ linux: { sysctls } }).linux.sysctls, sysctls);
  });

  it("is refused when an enum has a value of a later CRI", () => {
    const config = create(PodSandboxConfigSchema, { metadata, portMappings: [{ protocol: 9 as Protocol }] });
    assert.throws(() => sandboxRequestFromWire(config, "config"), {
      message: "config.port_mappings[0].protocol has the unknown value 9",
    });
  });
});
