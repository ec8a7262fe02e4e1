import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePolicy } from "./policy-file.ts";

const accept = [{ type: "insecureAcceptAnything" }];
const parse = (document: unknown) => parsePolicy("policy.json", JSON.stringify(document));

test("requirements are read per scope of docker, and for everything else the default", () => {
  const policy = parse({
    default: [{ type: "reject" }],
    transports: {
      "docker-daemon": { "": accept },
      docker: {
        "": accept,
        "quay.io/a": [
          { type: "signedBy", keyType: "GPGKeys", keyPath: "/k", signedIdentity: { type: "matchRepository" } },
          { type: "sigstoreSigned", keyPaths: ["/a", "/b"] },
        ],
      },
    },
  });
  assert.deepEqual(policy.default, [{ type: "reject" }]);
  assert.deepEqual([...policy.docker.keys()], ["", "quay.io/a"]);
  assert.deepEqual(policy.docker.get("quay.io/a"), [
    { type: "signedBy", keys: { paths: ["/k"], data: [] }, signedIdentity: { type: "matchRepository" } },
    {
      type: "sigstoreSigned",
      keys: { paths: ["/a", "/b"], data: [] },
      signedIdentity: { type: "matchRepoDigestOrExact" },
    },
  ]);
});

test("what cannot be checked is kept as a condition that no image meets", () => {
  const rekor = { type: "sigstoreSigned", keyPath: "/k", rekorPublicKeyPath: "/r" };
  const fulcio = { type: "sigstoreSigned", fulcio: { caPath: "/ca" }, rekorPublicKeyPath: "/r" };
  const base = { type: "signedBaseLayer", baseLayerIdentity: { type: "matchExact" } };
  for (const requirement of [rekor, fulcio, base, { type: "signedBy", keyType: "X509Certificates", keyPath: "/k" }])
    assert.equal(parse({ default: [requirement] }).default[0]?.type, "unsupported");
});

test("a policy with anything that is not understood is refused as a whole", () => {
  const wrong: [unknown, RegExp][] = [
    [[], /no JSON object/],
    [{}, /no "default"/],
    [{ default: [] }, /not a list with something/],
    [{ default: accept, defualt: [] }, /unknown field "defualt"/],
    [{ default: [{ type: "accept" }] }, /unknown type "accept"/],
    [{ default: [{ type: "reject", why: "x" }] }, /unknown field "why"/],
    [{ default: [{ type: "signedBy", keyType: "GPGKeys" }] }, /needs one of keyPath/],
    [{ default: [{ type: "signedBy", keyType: "PGP", keyPath: "/k" }] }, /unknown keyType "PGP"/],
    [{ default: [{ type: "sigstoreSigned", keyPath: "/k", keyData: "x" }] }, /needs one of/],
    [{ default: [{ type: "sigstoreSigned", keyPaths: [] }] }, /keyPaths is not what/],
    [{ default: [{ type: "sigstoreSigned", keyPath: "/k", signedIdentity: { type: "any" } }] }, /unknown type "any"/],
    [
      { default: [{ type: "sigstoreSigned", keyPath: "/k", signedIdentity: { type: "exactReference" } }] },
      /no dockerR/,
    ],
    [{ default: accept, transports: { docker: { a: accept[0] } } }, /not a list/],
  ];
  for (const [document, problem] of wrong) assert.throws(() => parse(document), problem, JSON.stringify(document));
});
