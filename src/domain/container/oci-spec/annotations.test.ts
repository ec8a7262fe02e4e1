import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exampleHostFacts } from "#drivers/security/fake.ts";
import { exampleContainerRequest, exampleSandboxRequest } from "../request-example.ts";
import { allowedAnnotations } from "#spec/allowed-annotations.ts";
import { containerAnnotations, sandboxAnnotations } from "./annotations.ts";
import { exampleInputs, examplePolicy, exampleSandboxFacts } from "./inputs-example.ts";

describe("annotations of users", () => {
  const given = {
    "example.com/team": "web",
    "org.systemd.property.CPUWeight": "1",
    "run.oci.handler": "krun",
    "devices.crio.io": "/dev/fuse",
    "seccomp-profile.crio.io/app": "x",
    "io.kubernetes.cri-o.Devices": "/dev/fuse",
    "com.vendor.unsafe": "1",
  };

  it("that change what a container may do are left out", () => {
    const features = { potentiallyUnsafeConfigAnnotations: ["com.vendor."] };
    assert.deepEqual(allowedAnnotations(given, [], features), { "example.com/team": "web" });
  });

  it("are kept when the handler allows their beginning", () => {
    const kept = allowedAnnotations(given, ["devices", "run.oci.handler", ""]);
    assert.deepEqual(Object.keys(kept), [
      "example.com/team",
      "run.oci.handler",
      "devices.crio.io",
      "com.vendor.unsafe",
    ]);
  });
});

describe("an annotation with an old and a new name", () => {
  it("is allowed under both by either", () => {
    const given = { "devices.crio.io": "/dev/a", "io.kubernetes.cri-o.Devices": "/dev/b" };
    for (const name of Object.keys(given)) assert.deepEqual(allowedAnnotations(given, [name]), given);
  });
});

describe("annotations of a container", () => {
  const inputs = exampleInputs(exampleHostFacts(), {
    policy: { defaultAnnotations: { "example.com/default": "1", "example.com/team": "none" } },
    sandbox: { request: exampleSandboxRequest({ annotations: { "example.com/team": "pod", "example.com/pod": "1" } }) },
    container: {
      request: exampleContainerRequest({
        annotations: { "example.com/team": "container", "io.kubernetes.cri-o.ContainerType": "sandbox" },
      }),
    },
  });
  const annotations = containerAnnotations(inputs, "RuntimeDefault");

  it("tell runtimes that it is a container and of which sandbox", () => {
    const { id } = inputs.sandbox;
    assert.equal(annotations["io.kubernetes.cri.container-type"], "container");
    assert.equal(annotations["io.kubernetes.cri-o.ContainerType"], "container");
    assert.equal(annotations["io.kubernetes.cri.sandbox-id"], id);
    assert.equal(annotations["io.kubernetes.cri-o.SandboxID"], id);
  });

  it("take the container's before the pod's before the handler's", () => {
    assert.equal(annotations["example.com/team"], "container");
    assert.equal(annotations["example.com/pod"], "1");
    assert.equal(annotations["example.com/default"], "1");
  });

  it("keep what the request had, for the container's status", () => {
    assert.deepEqual(
      JSON.parse(annotations["io.kubernetes.cri-o.Annotations"] ?? ""),
      inputs.container.request.annotations,
    );
  });
});

describe("annotations of the infra container", () => {
  it("tell runtimes that it is the sandbox", () => {
    const annotations = sandboxAnnotations(exampleSandboxFacts(), examplePolicy(), {
      containerName: "k8s_POD_web_default_a1b2_0",
      createdAt: new Date(0),
      rootfsPath: "/rootfs",
      seccompName: "Unconfined",
    });
    assert.equal(annotations["io.kubernetes.cri.container-type"], "sandbox");
    assert.equal(annotations["io.kubernetes.cri-o.IP.0"], "10.88.0.2");
    assert.equal(annotations["io.kubernetes.cri-o.KubeName"], "web");
  });
});
