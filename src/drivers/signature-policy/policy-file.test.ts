import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePolicy } from "./policy-file.ts";

const accept = [{ type: "insecureAcceptAnything" }];
const rekor = { rekorPublicKeyPaths: ["/r", "/s"] };
const fulcio = { caPath: "/ca", oidcIssuer: "https://o", subjectEmail: "a@b" };
const pki = { caRootsPath: "/roots", caIntermediatesData: "eA==", subjectHostname: "host" };
const sigstore = (fields: object) => ({ default: [{ type: "sigstoreSigned", ...fields }] });
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
      trust: { kind: "keys", keys: { paths: ["/a", "/b"], data: [] }, rekor: undefined },
      signedIdentity: { type: "matchRepoDigestOrExact" },
    },
  ]);
});

test("what cannot be checked is kept as a condition that no image meets", () => {
  const base = { type: "signedBaseLayer", baseLayerIdentity: { type: "matchExact" } };
  for (const requirement of [base, { type: "signedBy", keyType: "X509Certificates", keyPath: "/k" }])
    assert.equal(parse({ default: [requirement] }).default[0]?.type, "unsupported");
});

test("sigstore signatures count by keys, by Fulcio or by one's own authorities", () => {
  const trustOf = (requirement: object): unknown => {
    const [found] = parse(sigstore(requirement)).default;
    return found?.type === "sigstoreSigned" ? found.trust : found;
  };
  const paths = (...files: string[]) => ({ paths: files, data: [] });
  assert.deepEqual(trustOf({ keyDatas: ["a", "b"], ...rekor }), {
    kind: "keys",
    keys: { paths: [], data: ["a", "b"] },
    rekor: paths("/r", "/s"),
  });
  assert.deepEqual(trustOf({ fulcio, ...rekor }), {
    kind: "fulcio",
    authorities: paths("/ca"),
    oidcIssuer: "https://o",
    subjectEmail: "a@b",
    rekor: paths("/r", "/s"),
  });
  assert.deepEqual(trustOf({ pki }), {
    kind: "pki",
    roots: paths("/roots"),
    intermediates: { paths: [], data: ["eA=="] },
    subjectEmail: undefined,
    subjectHostname: "host",
  });
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
    [sigstore({ keyPath: "/k", keyData: "x" }), /may have only one of keyPath, keyData/],
    [sigstore({ keyPath: "/k", pki: {} }), /needs one of keyPath, .*fulcio, pki/],
    [sigstore({}), /needs one of keyPath, .*fulcio, pki/],
    [sigstore({ keyPath: "/k", rekorPublicKeyPath: "/r", rekorPublicKeyData: "x" }), /only one of rekorPublicKeyPath/],
    [sigstore({ keyPath: "/k", rekorPublicKeyDatas: [] }), /rekorPublicKeyDatas is not what/],
    [sigstore({ fulcio }), /needs one of rekorPublicKeyPath, .* beside fulcio/],
    [sigstore({ fulcio: { ...fulcio, oidcIssuer: "" }, ...rekor }), /fulcio\.oidcIssuer is not what/],
    [sigstore({ fulcio: { caPath: "/ca", oidcIssuer: "x" }, ...rekor }), /needs oidcIssuer and subjectEmail/],
    [sigstore({ fulcio: { ...fulcio, caData: "x" }, ...rekor }), /fulcio may have only one of caPath, caData/],
    [sigstore({ fulcio: { ...fulcio, ca: "x" }, ...rekor }), /fulcio has the unknown field "ca"/],
    [sigstore({ pki, ...rekor }), /may not have Rekor keys beside pki/],
    [sigstore({ pki: { caRootsPath: "/ca" } }), /pki needs subjectEmail or subjectHostname/],
    [sigstore({ pki: { subjectEmail: "a@b" } }), /pki needs one of caRootsPath, caRootsData/],
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
