import assert from "node:assert/strict";
import { test } from "node:test";
import { type DockerName, dockerNameOf, parseDockerName, scopesOf } from "./docker-name.ts";
import { fitsIdentity, type SignedIdentity } from "./signed-identity.ts";

const digest = `sha256:${"a".repeat(64)}` as const;
const name = (text: string): DockerName => {
  const parsed = parseDockerName(text);
  assert.ok(parsed !== undefined, text);
  return parsed;
};

test("the name in a signature has to fit as its requirement says", () => {
  const rows: [SignedIdentity, image: string, signed: string, fits: boolean][] = [
    [{ type: "matchExact" }, "quay.io/a/b:1", "quay.io/a/b:1", true],
    [{ type: "matchExact" }, "quay.io/a/b:1", "quay.io/a/b:2", false],
    [{ type: "matchExact" }, `quay.io/a/b@${digest}`, "quay.io/a/b:1", false],
    [{ type: "matchExact" }, "busybox:1", "docker.io/library/busybox:1", true],
    [{ type: "matchExact" }, "quay.io/a/b:1", "quay.io/a/b", false],
    [{ type: "matchRepoDigestOrExact" }, "quay.io/a/b:1", "quay.io/a/b:2", false],
    [{ type: "matchRepoDigestOrExact" }, `quay.io/a/b@${digest}`, "quay.io/a/b:2", true],
    [{ type: "matchRepoDigestOrExact" }, `quay.io/a/b@${digest}`, "quay.io/a/c:2", false],
    [{ type: "matchRepoDigestOrExact" }, `quay.io/a/b@${digest}`, "quay.io/a/b", false],
    [{ type: "matchRepository" }, "quay.io/a/b:1", "quay.io/a/b", true],
    [{ type: "matchRepository" }, "quay.io/a/b:1", "quay.io/a/bb:1", false],
    [{ type: "exactReference", dockerReference: "example.com/x:1" }, "quay.io/a/b:1", "example.com/x:1", true],
    [{ type: "exactReference", dockerReference: "example.com/x" }, "quay.io/a/b:1", "example.com/x", false],
    [{ type: "exactRepository", dockerRepository: "example.com/x" }, "quay.io/a/b:1", "example.com/x:7", true],
    [{ type: "exactRepository", dockerRepository: "example.com/x" }, "quay.io/a/b:1", "example.com/y:7", false],
    [{ type: "remapIdentity", prefix: "mirror", signedPrefix: "quay.io" }, "quay.io/a/b:1", "quay.io/a/b:1", true],
    [{ type: "remapIdentity", prefix: "me.io/q", signedPrefix: "quay.io" }, "me.io/q/a:1", "quay.io/a:1", true],
    [{ type: "remapIdentity", prefix: "me.io/q", signedPrefix: "quay.io" }, "me.io/qq/a:1", "quay.io/a:1", false],
    [{ type: "matchRepository" }, "quay.io/a/b:1", "quay.io/A b", false],
  ];
  for (const [identity, image, signed, fits] of rows)
    assert.equal(fitsIdentity(identity, name(image), signed), fits, JSON.stringify([identity, image, signed]));
});

test("scopes go from the whole name over its parents to wildcards of the host", () => {
  const reference = { registry: "reg.eu.example.com:5000", repository: "team/app", tag: "1" };
  assert.deepEqual(scopesOf(dockerNameOf(reference)), [
    "reg.eu.example.com:5000/team/app:1",
    "reg.eu.example.com:5000/team/app",
    "reg.eu.example.com:5000/team",
    "reg.eu.example.com:5000",
    "*.eu.example.com",
    "*.example.com",
    "*.com",
  ]);
});

test("a digest makes the tag beside it irrelevant, and no tag is the tag latest", () => {
  const reference = { registry: "quay.io", repository: "a/b", tag: "1", digest };
  assert.equal(scopesOf(dockerNameOf(reference))[0], `quay.io/a/b@${digest}`);
  assert.equal(scopesOf(dockerNameOf({ registry: "quay.io", repository: "a" }))[0], "quay.io/a:latest");
});
