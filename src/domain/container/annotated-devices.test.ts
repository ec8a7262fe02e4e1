import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import { annotatedDevices } from "./annotated-devices.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import { exampleContainerRequest, exampleSandboxRequest } from "./request-example.ts";

const drivers = {
  security: { devicesAt: (path: string) => Promise.resolve([{ path }]) } as unknown as ContainerDrivers["security"],
  settings: { allowedDevices: ["/dev/fuse"] } as unknown as ContainerDrivers["settings"],
};
const podAsking = (devices: string) =>
  ({ request: exampleSandboxRequest({ annotations: { "io.kubernetes.cri-o.Devices": devices } }) }) as Sandbox;
const request = exampleContainerRequest();

describe("a pod's annotation that asks for devices", () => {
  it("gives its containers those that the configuration allows", async () => {
    const [found] = await annotatedDevices(drivers, podAsking("/dev/fuse:/dev/f:rw"), request, ["devices.crio.io"]);
    assert.deepEqual(found?.request, { hostPath: "/dev/fuse", containerPath: "/dev/f", permissions: "rw" });
    assert.deepEqual(found.nodes, [{ path: "/dev/fuse" }]);
  });

  it("is refused for any other", async () => {
    await assert.rejects(annotatedDevices(drivers, podAsking("/dev/kvm"), request, ["devices.crio.io"]), {
      kind: "permission-denied",
      message: /\/dev\/kvm, which allowed_devices does not list/,
    });
  });

  it("has no effect where the runtime handler does not allow it", async () => {
    assert.deepEqual(await annotatedDevices(drivers, podAsking("/dev/kvm"), request, []), []);
  });
});
