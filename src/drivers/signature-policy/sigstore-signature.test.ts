import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { describe, it } from "node:test";
import type { ImageSignature } from "#spec/image-signature.ts";
import { extensionId } from "./certificate.ts";
import { type CertificateWishes, codeSigningUsage, makeCertificate, pemOf, utf8 } from "./certificate-example.ts";
import { sigstoreOpener } from "./sigstore-signature.ts";
import type { SigstoreTrust } from "./sigstore-trust.ts";

type SigstoreSignature = Extract<ImageSignature, { kind: "sigstore" }>;

const text = '{"critical":"what is signed"}';
const pem = (key: KeyObject): string => key.export({ type: "spki", format: "pem" });
const base64 = (content: string): string => Buffer.from(content).toString("base64");
const sources = (...texts: string[]) => ({ paths: [], data: texts.map(base64) });

const log = generateKeyPairSync("ec", { namedCurve: "P-256" });
const otherLog = generateKeyPairSync("ec", { namedCurve: "P-256" });

function signed(key: KeyObject, changes: Partial<SigstoreSignature> = {}): SigstoreSignature {
  const signature = sign("sha256", Buffer.from(text), key).toString("base64");
  return { kind: "sigstore", digest: `sha256:${"1".repeat(64)}`, payload: base64(text), signature, ...changes };
}

interface Entry {
  logKey?: KeyObject;
  at?: Date;
  /** What the entry is about; the signature's own unless said. */
  about?: string;
  kind?: string;
}

/** What a Rekor log answers when it is given a signature. */
function logged(signature: SigstoreSignature, keyOrCertificate: string, entry: Entry = {}): SigstoreSignature {
  const { logKey = log.privateKey, at = new Date(), about = text, kind = "hashedrekord" } = entry;
  const value = createHash("sha256").update(about).digest("hex");
  const spec = {
    data: { hash: { algorithm: "sha256", value } },
    signature: { content: signature.signature, publicKey: { content: base64(keyOrCertificate) } },
  };
  const body = base64(JSON.stringify({ apiVersion: "0.0.1", kind, spec }));
  const promise = { body, integratedTime: Math.floor(at.getTime() / 1000), logIndex: 12_345_678, logID: "c0d2" };
  // As RFC 8785 has it; beside the signature it may be written in any order.
  const canonical = `{"body":"${body}","integratedTime":${promise.integratedTime},"logID":"c0d2","logIndex":12345678}`;
  const timestamp = sign("sha256", Buffer.from(canonical), logKey).toString("base64");
  return { ...signature, rekorBundle: JSON.stringify({ SignedEntryTimestamp: timestamp, Payload: promise }) };
}

describe("a signature with a key and an entry in a Rekor log", () => {
  const [own, second] = [1, 2].map(() => generateKeyPairSync("ec", { namedCurve: "P-256" }));
  assert.ok(own !== undefined && second !== undefined);
  const trust: SigstoreTrust = {
    kind: "keys",
    keys: sources(pem(second.publicKey), pem(own.publicKey)),
    rekor: sources(pem(otherLog.publicKey), pem(log.publicKey)),
  };
  const good = logged(signed(own.privateKey), pem(own.publicKey));

  it("counts when one of the logs has signed the entry, and the entry is about it", async () => {
    assert.equal((await sigstoreOpener(trust))(good), text);
  });

  const foreign = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const later = JSON.stringify(JSON.parse(good.rekorBundle ?? "")).replace(
    /"integratedTime":(\d+)/,
    '"integratedTime":1',
  );
  const wrong: [string, SigstoreSignature, RegExp][] = [
    ["that is missing", signed(own.privateKey), /no entry in a Rekor log/],
    [
      "that no log of the policy has signed",
      logged(good, pem(own.publicKey), { logKey: foreign.privateKey }),
      /no Rekor key/,
    ],
    ["whose time was changed", { ...good, rekorBundle: later }, /no Rekor key of the policy has signed it/],
    ["with more fields", { ...good, rekorBundle: `{"x":1,${good.rekorBundle?.slice(1)}` }, /exactly the fields/],
    ["about another key", logged(signed(own.privateKey), pem(foreign.publicKey)), /about another key/],
    [
      "about another signature",
      { ...signed(own.privateKey), rekorBundle: good.rekorBundle ?? "" },
      /another signature/,
    ],
    ["about another text", logged(signed(own.privateKey), pem(own.publicKey), { about: "x" }), /another text/],
    ["of another kind", logged(signed(own.privateKey), pem(own.publicKey), { kind: "rekord" }), /of the kind rekord/],
    ["that is no JSON", { ...good, rekorBundle: "{" }, /does not count/],
  ];
  for (const [what, signature, message] of wrong) {
    it(`does not count by an entry ${what}`, async () => {
      const open = await sigstoreOpener(trust);
      assert.throws(() => open(signature), message);
    });
  }

  it("does not count by an entry that is right when somebody else has signed the text", async () => {
    const open = await sigstoreOpener(trust);
    const byForeign = logged(signed(foreign.privateKey), pem(own.publicKey));
    assert.throws(() => open(byForeign), /not made with a key of the policy/);
  });

  it("needs logs with ECDSA keys", async () => {
    const rekor = sources(pem(generateKeyPairSync("ed25519").publicKey));
    await assert.rejects(sigstoreOpener({ ...trust, rekor }), /Rekor keys of type ed25519 are not supported/);
  });
});

const root = makeCertificate({ name: "root", isAuthority: true });
const middle = makeCertificate({ name: "middle", issuer: root, isAuthority: true, pathLength: 0 });
const chain = `${middle.pem}${root.pem}`;

/** Somebody's certificate and what it has signed. */
function certified(wishes: Partial<CertificateWishes>): SigstoreSignature {
  const leaf = makeCertificate({ name: "leaf", issuer: middle, ...wishes });
  return signed(leaf.privateKey, { certificate: leaf.pem, chain });
}

describe("a signature with a certificate of Fulcio's", () => {
  const issuer = "https://accounts.example";
  const extensions = { [extensionId.oidcIssuerV1]: Buffer.from(issuer), [extensionId.oidcIssuerV2]: utf8(issuer) };
  const emails = ["other@example.org", "me@example.org"];
  const at = new Date(Date.now() - 86_400_000);
  const shortly = { from: new Date(at.getTime() - 60_000), to: new Date(at.getTime() + 600_000) };
  const old = { from: new Date(at.getTime() - 86_400_000), to: new Date(Date.now() + 86_400_000) };
  const oldRoot = makeCertificate({ name: "fulcio", isAuthority: true, ...old });
  const trust: SigstoreTrust = {
    kind: "fulcio",
    authorities: sources(oldRoot.pem),
    oidcIssuer: issuer,
    subjectEmail: "me@example.org",
    rekor: sources(pem(log.publicKey)),
  };
  const make = (wishes: Partial<CertificateWishes>, entry: Entry = {}): SigstoreSignature => {
    const leaf = makeCertificate({ name: "leaf", issuer: oldRoot, emails, extensions, ...shortly, ...wishes });
    return logged(signed(leaf.privateKey, { certificate: leaf.pem }), leaf.pem, { at, ...entry });
  };

  it("counts when the certificate was valid when the log took it in, though it has ended since", async () => {
    assert.equal((await sigstoreOpener(trust))(make({})), text);
  });

  it("counts with either of the two records of the issuer, also where the names are critical", async () => {
    const open = await sigstoreOpener(trust);
    for (const [id, value] of Object.entries(extensions))
      assert.equal(open(make({ extensions: { [id]: value }, critical: [extensionId.subjectAltName] })), text);
  });

  const { rekorBundle: _none, ...withoutEntry } = make({});
  const { certificate: _missing, ...withoutCertificate } = make({});
  const two = { ...extensions, [extensionId.oidcIssuerV1]: Buffer.from("https://evil.example") };
  const wrong: [string, SigstoreSignature, RegExp][] = [
    ["without an entry in a log", withoutEntry, /no entry in a Rekor log/],
    ["without a certificate", withoutCertificate, /has no certificate/],
    ["logged after the certificate had ended", make({}, { at: new Date() }), /is valid from .*, not at/],
    [
      "of another issuer",
      make({ extensions: { [extensionId.oidcIssuerV1]: Buffer.from("https://evil.example") } }),
      /whom https:\/\/evil/,
    ],
    ["of two issuers", make({ extensions: two }), /names two OIDC issuers/],
    ["of no issuer", make({ extensions: {} }), /names no OIDC issuer/],
    ["of another address", make({ emails: ["ME@example.org"] }), /is for ME@example\.org/],
    ["of a certificate that is not for code", make({ usages: ["1.3.6.1.5.5.7.3.1"] }), /is not for signing code/],
    [
      "of another authority",
      make({ issuer: makeCertificate({ name: "fulcio", isAuthority: true, ...old }) }),
      /whom the policy trusts/,
    ],
    [
      "with a critical extension that nobody knows",
      make({ extensions: { ...extensions, "1.2.3.4": Buffer.of(5, 0) }, critical: ["1.2.3.4"] }),
      /critical extension 1\.2\.3\.4/,
    ],
  ];
  for (const [what, signature, message] of wrong) {
    it(`does not count ${what}`, async () => {
      const open = await sigstoreOpener(trust);
      assert.throws(() => open(signature), message);
    });
  }
});

describe("a signature with a certificate of one's own authorities", () => {
  const trust = (changes: Partial<Extract<SigstoreTrust, { kind: "pki" }>> = {}): SigstoreTrust => ({
    kind: "pki",
    roots: sources(root.pem),
    intermediates: undefined,
    subjectEmail: "build@example.org",
    subjectHostname: undefined,
    ...changes,
  });
  const emails = ["build@example.org"];

  it("counts when its chain leads to a root, by what lies beside it or by what the policy gives", async () => {
    const good = certified({ emails });
    assert.equal((await sigstoreOpener(trust()))(good), text);
    const { chain: _chain, ...bare } = good;
    await assert.rejects(async () => (await sigstoreOpener(trust()))(bare), /whom the policy trusts/);
    assert.equal((await sigstoreOpener(trust({ intermediates: sources(middle.pem) })))(bare), text);
  });

  it("counts for a host that the certificate names, by a wildcard too", async () => {
    const open = await sigstoreOpener(trust({ subjectEmail: undefined, subjectHostname: "ci.example.org" }));
    for (const host of ["ci.example.org", "*.example.org"]) assert.equal(open(certified({ hosts: [host] })), text);
    for (const host of ["example.org", "ci.example.com", "c*.example.org"])
      assert.throws(() => open(certified({ hosts: [host] })), /not for ci\.example\.org/);
    assert.throws(() => open(certified({ name: "ci.example.org" })), /is for no host/);
  });

  it("does not count when both names are asked for and one is missing", async () => {
    const open = await sigstoreOpener(trust({ subjectHostname: "ci.example.org" }));
    assert.throws(() => open(certified({ emails })), /not for ci\.example\.org/);
    assert.equal(open(certified({ emails, hosts: ["ci.example.org"] })), text);
  });

  const noAuthority = makeCertificate({ name: "plain", issuer: root });
  const ended = makeCertificate({ name: "ended", issuer: root, isAuthority: true, to: new Date(Date.now() - 1000) });
  const deep = makeCertificate({ name: "deep", issuer: middle, isAuthority: true });
  const constrained = makeCertificate({
    name: "constrained",
    issuer: root,
    isAuthority: true,
    extensions: { [extensionId.nameConstraints]: Buffer.of(0x30, 0) },
  });
  const servers = makeCertificate({ name: "servers", issuer: root, isAuthority: true, usages: ["1.3.6.1.5.5.7.3.1"] });
  const impostor = makeCertificate({ name: "middle", isAuthority: true });
  const by = (issuer: ReturnType<typeof makeCertificate>) => {
    const leaf = makeCertificate({ name: "leaf", issuer, emails });
    return signed(leaf.privateKey, { certificate: leaf.pem, chain: `${issuer.pem}${chain}` });
  };
  const wrong: [string, SigstoreSignature, RegExp][] = [
    ["of an address that is not asked for", certified({ emails: ["me@example.org"] }), /is for me@example\.org/],
    ["of no address", certified({ hosts: ["build.example.org"] }), /is for no address/],
    ["whose certificate has ended", certified({ emails, to: new Date(Date.now() - 1000) }), /is valid from/],
    ["whose certificate is not valid yet", certified({ emails, from: new Date(Date.now() + 60_000) }), /is valid from/],
    ["issued by who is no authority", by(noAuthority), /whom the policy trusts/],
    ["issued by an authority that has ended", by(ended), /"CN=ended", which is valid from/],
    ["issued deeper than an authority allows", by(deep), /"CN=middle", which may have 0 authorities below it/],
    ["issued by an authority with name constraints", by(constrained), /which has name constraints/],
    ["issued by an authority that is for servers", by(servers), /"CN=servers", which is not for signing code/],
    ["issued by somebody with an authority's name", by(impostor), /whom the policy trusts/],
    ["with several certificates", { ...certified({ emails }), certificate: chain }, /several certificates/],
    ["with something else for a certificate", { ...certified({ emails }), certificate: "x" }, /no CERTIFICATE in PEM/],
    [
      "with a certificate that is cut",
      { ...certified({ emails }), certificate: pemOf("CERTIFICATE", Buffer.of(0x30, 5, 1)) },
      /cannot be read/,
    ],
  ];
  for (const [what, signature, message] of wrong) {
    it(`does not count ${what}`, async () => {
      const open = await sigstoreOpener(trust());
      assert.throws(() => open(signature), message);
    });
  }

  it("does not count by the key of a certificate whose owner has not signed", async () => {
    const open = await sigstoreOpener(trust());
    const { signature } = certified({ emails });
    assert.throws(() => open({ ...certified({ emails }), signature }), /not made with a key of the policy/);
  });

  it("counts by a certificate that is a root itself", async () => {
    const own = makeCertificate({ name: "own", emails, usages: [codeSigningUsage] });
    const open = await sigstoreOpener(trust({ roots: sources(own.pem) }));
    assert.equal(open(signed(own.privateKey, { certificate: own.pem })), text);
  });

  it("does not keep anybody busy with chains that lead nowhere", async () => {
    const tangle = Array.from({ length: 40 }, () =>
      makeCertificate({ name: "tangle", issuer: impostor, isAuthority: true }),
    );
    const leaf = makeCertificate({ name: "leaf", issuer: { ...impostor, name: "tangle" }, emails });
    const all = tangle.map((one) => one.pem).join("");
    const open = await sigstoreOpener(trust());
    assert.throws(
      () => open(signed(leaf.privateKey, { certificate: leaf.pem, chain: all + root.pem })),
      /policy trusts/,
    );
  });
});
