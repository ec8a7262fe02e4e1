import assert from "node:assert/strict";
import { test } from "node:test";
import { formatReference, parseReference, splitName } from "./reference.ts";

const hex = "0123456789abcdef".repeat(4);

test("names are normalised the way docker does", () => {
  const expected: Record<string, string> = {
    busybox: "docker.io/library/busybox:latest",
    "busybox:1.36": "docker.io/library/busybox:1.36",
    "team/app": "docker.io/team/app:latest",
    "docker.io/busybox": "docker.io/library/busybox:latest",
    "index.docker.io/busybox": "docker.io/library/busybox:latest",
    "localhost/app": "localhost/app:latest",
    "localhost:5000/app": "localhost:5000/app:latest",
    "[::1]:5000/app:v1": "[::1]:5000/app:v1",
    "Host/app": "Host/app:latest",
    "registry.k8s.io/pause:3.10": "registry.k8s.io/pause:3.10",
    "a.b/c__d/e-----f/g.h_i": "a.b/c__d/e-----f/g.h_i:latest",
    [`quay.io/app@sha256:${hex}`]: `quay.io/app@sha256:${hex}`,
    [`quay.io/app:v1@sha256:${hex}`]: `quay.io/app:v1@sha256:${hex}`,
  };
  for (const [name, full] of Object.entries(expected)) {
    assert.equal(formatReference(parseReference(name)), full, name);
    assert.equal(formatReference(parseReference(full)), full, full);
  }
});

test("what the grammar does not allow is an invalid argument", () => {
  const names = [
    "",
    "/app",
    "app/",
    "a//b",
    "UPPER",
    "quay.io/Upper",
    "app:",
    "app:-tag",
    `app:${"t".repeat(129)}`,
    "app@sha256:abc",
    `app@sha384:${"0".repeat(96)}`,
    `app@sha256:${hex.toUpperCase()}`,
    `app@md5:${"0".repeat(32)}`,
    "-host.example/app",
    "host:port/app",
    "host.example/",
    "app name",
    " app",
    "https://quay.io/app",
    "a..b",
    "a___b",
    "../etc/passwd",
    "quay.io/../app",
    hex,
    "a".repeat(256),
    `${"a/".repeat(5000)}a`,
  ];
  for (const name of names)
    assert.throws(
      () => parseReference(name),
      { kind: "invalid-argument", message: /^invalid image reference "/ },
      name,
    );
});

test("a short name has no registry", () => {
  assert.deepEqual(splitName("team/app:v1"), { path: "team/app", tag: "v1" });
  assert.deepEqual(splitName("team.io/app"), { registry: "team.io", path: "app" });
});
