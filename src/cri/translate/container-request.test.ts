import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { ContainerRequest } from "#domain/container/request.ts";
import {
  ContainerConfigSchema,
  ContainerMetadataSchema,
  ImageSpecSchema,
  MountPropagation,
  SecurityProfile_ProfileType as ProfileType,
  Signal,
} from "../gen/runtime/v1/api_pb.ts";
import { containerRequestFromWire } from "./container-request.ts";

function translated(config: MessageInitShape<typeof ContainerConfigSchema> = {}): ContainerRequest {
  const message = create(ContainerConfigSchema, config);
  message.metadata ??= create(ContainerMetadataSchema, { name: "app", attempt: 1 });
  message.image ??= create(ImageSpecSchema, { image: "busybox" });
  return containerRequestFromWire(message);
}

function refused(config: MessageInitShape<typeof ContainerConfigSchema>, message: string | RegExp): void {
  assert.throws(() => translated(config), { kind: "invalid-argument", message });
}

describe("ContainerConfig", () => {
  it("keeps command, environment in its order, devices and stop signal", () => {
    const request = translated({
      command: ["sh"],
      args: ["-c", "true"],
      workingDir: "/w",
      envs: [
        { key: "A", value: Buffer.from("ä=1") },
        { key: "A", value: Buffer.from("") },
      ],
      devices: [{ hostPath: "/dev/fuse", permissions: "rw" }],
      CDIDevices: [{ name: "vendor.com/gpu=0" }],
      logPath: "app/1.log",
      stdin: true,
      stdinOnce: true,
      tty: true,
      stopSignal: Signal.SIGRTMINPLUS3,
    });
    assert.deepEqual(request.metadata, { name: "app", attempt: 1 });
    assert.deepEqual(request.env, [
      { name: "A", value: "ä=1" },
      { name: "A", value: "" },
    ]);
    assert.deepEqual(request.devices, [{ hostPath: "/dev/fuse", containerPath: "/dev/fuse", permissions: "rw" }]);
    assert.deepEqual(request.cdiDevices, ["vendor.com/gpu=0"]);
    assert.deepEqual([request.stdin, request.stdinOnce, request.tty], [true, true, true]);
    assert.equal(request.stopSignal, "SIGRTMIN+3");
    assert.equal(request.linux.resources, undefined);
  });

  it("keeps mounts of host paths and of images", () => {
    const request = translated({
      mounts: [
        {
          containerPath: "/data",
          hostPath: "/srv",
          readonly: true,
          recursiveReadOnly: true,
          propagation: MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
          uidMappings: [{ hostId: 1, containerId: 2, length: 3 }],
        },
        { containerPath: "img", image: { image: "models" }, imageSubPath: "v1" },
      ],
    });
    assert.deepEqual(request.mounts, [
      {
        containerPath: "/data",
        hostPath: "/srv",
        readonly: true,
        recursiveReadOnly: true,
        selinuxRelabel: false,
        propagation: "host-to-container",
        uidMappings: [{ hostId: 1, containerId: 2, length: 3 }],
        gidMappings: [],
        image: undefined,
        imageSubPath: "",
      },
      {
        containerPath: "/img",
        hostPath: "",
        readonly: false,
        recursiveReadOnly: false,
        selinuxRelabel: false,
        propagation: "private",
        uidMappings: [],
        gidMappings: [],
        image: { image: "models", annotations: {}, userSpecifiedImage: "", runtimeHandler: "", imageRef: "" },
        imageSubPath: "v1",
      },
    ]);
  });

  it("understands the deprecated security fields", () => {
    const { securityContext } = translated({
      linux: { securityContext: { apparmorProfile: "localhost/mine", seccompProfilePath: "localhost//p.json" } },
    }).linux;
    assert.deepEqual(securityContext.apparmor, { type: "localhost", localhostRef: "mine" });
    assert.deepEqual(securityContext.seccomp, { type: "localhost", localhostRef: "/p.json" });
  });

  it("keeps users and capabilities", () => {
    const { securityContext } = translated({
      linux: {
        securityContext: {
          capabilities: {
            addCapabilities: ["NET_ADMIN"],
            dropCapabilities: ["ALL"],
            addAmbientCapabilities: ["CHOWN"],
          },
          runAsUsername: "www",
          runAsGroup: { value: 33n },
          noNewPrivs: true,
          maskedPaths: ["/proc/kcore"],
          seccomp: { profileType: ProfileType.RuntimeDefault },
        },
      },
    }).linux;
    assert.deepEqual(securityContext.capabilities, { add: ["NET_ADMIN"], drop: ["ALL"], addAmbient: ["CHOWN"] });
    assert.deepEqual([securityContext.runAsUsername, securityContext.runAsGroup], ["www", 33]);
    assert.deepEqual(securityContext.maskedPaths, ["/proc/kcore"]);
    assert.deepEqual(securityContext.seccomp, { type: "runtime-default" });
  });

  it("is refused with the name of the field that is missing or wrong", () => {
    assert.throws(() => containerRequestFromWire(undefined), { message: "config is missing" });
    assert.throws(() => containerRequestFromWire(create(ContainerConfigSchema)), {
      message: "config.metadata is missing",
    });
    refused({ metadata: {} }, "config.metadata.name is missing");
    refused({ image: {} }, "config.image.image is missing");
    refused({ mounts: [{ hostPath: "/srv" }] }, "config.mounts[0].container_path is missing");
    refused({ mounts: [{ containerPath: "/data" }] }, "config.mounts[0].host_path is missing");
    refused({ mounts: [{ containerPath: "/d", hostPath: "srv" }] }, /^config.mounts\[0\].host_path is not an absolute/);
    refused(
      { mounts: [{ containerPath: "/d", hostPath: "/srv", image: { image: "i" } }] },
      "config.mounts[0].host_path is given besides image",
    );
    refused({ devices: [{ containerPath: "/dev/x" }] }, "config.devices[0].host_path is missing");
    refused({ devices: [{ hostPath: "dev/x" }] }, /^config.devices\[0\].host_path is not an absolute/);
    refused({ metadata: { name: "a\nb" } }, /^config.metadata.name contains a control character/);
    refused({ args: ["a", "b\0"] }, /^config.args\[1\] contains a NUL/);
    refused({ mounts: [{ containerPath: "/d", hostPath: "/a\0" }] }, /^config.mounts\[0\].host_path contains a NUL/);
    refused({ envs: [{ key: "A", value: Uint8Array.of(0) }] }, "config.envs[0].value of A contains a NUL character");
    refused({ linux: { resources: { cpusetMems: "x" } } }, /^config.linux.resources.cpuset_mems is not a list/);
    refused({ envs: [{ key: "" }] }, "config.envs[0].key is missing");
    refused({ envs: [{ key: "A", value: Uint8Array.of(0xff) }] }, "config.envs[0].value of A is not valid UTF-8");
    refused({ logPath: "../../etc/cron.d/x" }, /^config.log_path leads out/);
    refused({ stopSignal: 99 as Signal }, "config.stop_signal has the unknown value 99");
    refused({ linux: { resources: { oomScoreAdj: 2000n } } }, /^config.linux.resources.oom_score_adj is not between/);
  });

  it("is refused when a group comes without a user, or two users are named", () => {
    refused(
      { linux: { securityContext: { runAsGroup: { value: 1n } } } },
      "config.linux.security_context.run_as_group is given without run_as_user or run_as_username",
    );
    refused(
      { linux: { securityContext: { runAsUser: { value: 1n }, runAsUsername: "www" } } },
      "config.linux.security_context.run_as_username is given besides run_as_user",
    );
  });
});
