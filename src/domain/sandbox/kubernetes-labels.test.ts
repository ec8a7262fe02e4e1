import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkLabels, containerLabels, podLabels } from "./kubernetes-labels.ts";

const pod = { name: "web", namespace: "shop", uid: "u1", attempt: 0 };

describe("labels of a pod", () => {
  it("tell its name, namespace and uid when the client did not", () => {
    assert.deepEqual(podLabels({ app: "a" }, pod), {
      "io.kubernetes.pod.name": "web",
      "io.kubernetes.pod.namespace": "shop",
      "io.kubernetes.pod.uid": "u1",
      app: "a",
    });
  });

  it("stay as the client gave them", () => {
    assert.equal(podLabels({ "io.kubernetes.pod.uid": "mine" }, pod)["io.kubernetes.pod.uid"], "mine");
  });
});

describe("labels of a container", () => {
  it("tell its own name and its pod's", () => {
    const labels = containerLabels({}, "app", pod);
    assert.equal(labels["io.kubernetes.container.name"], "app");
    assert.equal(labels["io.kubernetes.pod.name"], "web");
  });
});

describe("a label", () => {
  it("of 4096 bytes is allowed, one byte more is not", () => {
    checkLabels({ k: "v".repeat(4095) });
    assert.throws(() => checkLabels({ k: "v".repeat(4096) }), { kind: "invalid-argument", message: /4097 bytes/ });
  });
});
