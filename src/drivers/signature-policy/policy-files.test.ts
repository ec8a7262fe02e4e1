import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { DomainError, type ErrorKind } from "#errors/domain-error.ts";
import { findProgram } from "#kernel/program-path.ts";
import { run } from "#kernel/spawn.ts";
import type { ImageSignature } from "#spec/image-signature.ts";
import type { Digest } from "#spec/oci-image.ts";
import type { SignatureCheck } from "./index.ts";
import { signaturePolicies } from "./policy-files.ts";

const digest: Digest = `sha256:${"1".repeat(64)}`;
const indexDigest: Digest = `sha256:${"2".repeat(64)}`;
const otherDigest: Digest = `sha256:${"3".repeat(64)}`;
const folder = mkdtempSync(path.join(tmpdir(), "berth-policy-"));
after(() => rmSync(folder, { recursive: true }));

let serial = 0;

/** Policies in a folder of their own; `files` by name relative to it. */
function policies(files: Record<string, unknown>, chosen = "") {
  serial += 1;
  const own = path.join(folder, String(serial));
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(own, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  }
  return signaturePolicies({
    file: () => (chosen === "" ? "" : path.join(own, chosen)),
    defaultFile: path.join(own, "policy.json"),
    directory: path.join(own, "policies"),
    registriesDirectory: path.join(own, "registries.d"),
  });
}

function check(changes: Partial<SignatureCheck> = {}): SignatureCheck {
  return {
    name: { registry: "quay.io", repository: "team/app", tag: "1" },
    digests: [digest, indexDigest],
    namespace: "",
    known: [],
    attachments: async () => [],
    signal: new AbortController().signal,
    ...changes,
  };
}

function payloadFor(type: string, signed: Digest, reference: string): Buffer {
  const critical = {
    type,
    image: { "docker-manifest-digest": signed },
    identity: { "docker-reference": reference },
  };
  return Buffer.from(JSON.stringify({ critical, optional: null }));
}

function cosign(key: KeyObject, signed = digest, reference = "quay.io/team/app:1"): ImageSignature {
  const payload = payloadFor("cosign container image signature", signed, reference);
  const signature = sign(key.asymmetricKeyType === "ed25519" ? null : "sha256", payload, key);
  return { kind: "sigstore", digest, payload: payload.toString("base64"), signature: signature.toString("base64") };
}

const pem = (key: KeyObject): string => key.export({ type: "spki", format: "pem" });
const refused = (message: RegExp) => ({ kind: "signature-validation-failed", message });

describe("which policy counts", () => {
  const reject = { default: [{ type: "reject" }] };
  const accept = { default: [{ type: "insecureAcceptAnything" }] };

  it("is none without a file: everything is accepted", async () => {
    assert.deepEqual(await policies({}).check(check()), []);
  });

  it("is that of the namespace before the chosen one, and that before the system's", async () => {
    const files = { "policy.json": accept, "chosen.json": reject, "policies/open.json": accept };
    await assert.rejects(policies(files, "chosen.json").check(check()), refused(/chosen\.json \(default\)/));
    await policies(files, "chosen.json").check(check({ namespace: "open" }));
    await policies(files).check(check({ namespace: "other" }));
  });

  it("decides whether images are checked when they are used: only one that was chosen does", async () => {
    const files = { "policy.json": accept, "chosen.json": accept, "policies/strict.json": reject };
    assert.equal(await policies(files).checksUse("default"), false);
    assert.equal(await policies(files).checksUse("strict"), true);
    assert.equal(await policies(files, "chosen.json").checksUse("default"), true);
  });

  it("has to be there when it is chosen, and to be right", async () => {
    await assert.rejects(policies({}, "missing.json").check(check()), { kind: "failed-precondition" });
    await assert.rejects(policies({ "policy.json": "{" }).check(check()), { kind: "failed-precondition" });
    await assert.rejects(policies({}).check(check({ namespace: "../x" })), { kind: "invalid-argument" });
  });

  it("is taken from the narrowest scope, and all of its requirements have to be met", async () => {
    const docker = {
      "": accept.default,
      "quay.io/team": reject.default,
      "quay.io/team/app": accept.default,
      "quay.io/team/app:2": [...accept.default, ...reject.default],
      "*.example.com": reject.default,
    };
    const all = policies({ "policy.json": { ...reject, transports: { docker } } });
    const named = (registry: string, repository: string, tag: string) => check({ name: { registry, repository, tag } });
    await all.check(named("quay.io", "team/app", "1"));
    await all.check(named("docker.io", "library/busybox", "1"));
    await assert.rejects(all.check(named("quay.io", "team/app", "2")), refused(/quay\.io\/team\/app:2\)/));
    await assert.rejects(all.check(named("quay.io", "team/other", "1")), refused(/\(quay\.io\/team\)/));
    await assert.rejects(all.check(named("eu.example.com", "x", "1")), refused(/\*\.example\.com/));
  });
});

describe("sigstoreSigned", () => {
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ed = generateKeyPairSync("ed25519");
  const policyWith = (keys: Record<string, unknown>, signedIdentity?: object) =>
    policies({
      "policy.json": {
        default: [{ type: "sigstoreSigned", ...keys, ...(signedIdentity === undefined ? {} : { signedIdentity }) }],
      },
    });
  const keyData = (key: KeyObject) => ({ keyData: Buffer.from(pem(key)).toString("base64") });

  for (const [name, pair] of Object.entries({ ec, rsa, ed })) {
    it(`accepts what was signed with an ${name} key, and says by which signature`, async () => {
      const good = cosign(pair.privateKey);
      const attachments = async (asked: Digest) => (asked === digest ? [good] : []);
      assert.deepEqual(await policyWith(keyData(pair.publicKey)).check(check({ attachments })), [good]);
    });
  }

  it("says when signatures could not be asked for, which is no refusal; what is no good answer is one", async () => {
    const withKey = policyWith(keyData(ec.publicKey));
    const failing = (kind: ErrorKind) =>
      check({ attachments: () => Promise.reject(new DomainError(kind, "GET http://r/v2/app: it failed")) });
    for (const kind of ["registry-unavailable", "unavailable", "deadline-exceeded", "unauthenticated"] as const)
      await assert.rejects(withKey.check(failing(kind)), {
        kind,
        message: /the signatures of image quay.io\/team\/app:1, .*policy.json.*: GET http:\/\/r\/v2\/app: it failed$/,
      });
    for (const kind of ["data-loss", "invalid-argument", "not-found"] as const)
      await assert.rejects(withKey.check(failing(kind)), refused(/it failed/));
    const known = cosign(ec.privateKey);
    assert.deepEqual(await withKey.check({ ...failing("registry-unavailable"), known: [known] }), [known]);
  });

  it("accepts any of several keys from files", async () => {
    const files = [ec, ed].map(({ publicKey }, index) => {
      const file = path.join(folder, `key-${index}.pub`);
      writeFileSync(file, pem(publicKey));
      return file;
    });
    await policyWith({ keyPaths: files }).check(check({ known: [cosign(ed.privateKey)] }));
  });

  it("fetches nothing when a signature that is known is enough", async () => {
    const attachments = () => assert.fail("signatures were fetched");
    await policyWith(keyData(ec.publicKey)).check(check({ known: [cosign(ec.privateKey)], attachments }));
  });

  it("accepts a signature of the index that led to the manifest", async () => {
    const payload = payloadFor("cosign container image signature", indexDigest, "quay.io/team/app:1");
    const signature = sign("sha256", payload, ec.privateKey).toString("base64");
    const ofIndex: ImageSignature = {
      kind: "sigstore",
      digest: indexDigest,
      payload: payload.toString("base64"),
      signature,
    };
    const attachments = async (asked: Digest) => (asked === indexDigest ? [ofIndex] : []);
    assert.deepEqual(await policyWith(keyData(ec.publicKey)).check(check({ attachments })), [ofIndex]);
  });

  const good = cosign(ec.privateKey);
  assert.ok(good.kind === "sigstore");
  const changed = payloadFor("cosign container image signature", digest, "quay.io/team/other:1").toString("base64");
  const wrongType = payloadFor("atomic container signature", digest, "quay.io/team/app:1");
  const wrong: [string, ImageSignature[], RegExp][] = [
    ["no signature", [], /has to be signed, and there is no signature/],
    ["another key", [cosign(rsa.privateKey)], /not made with a key of the policy/],
    ["another image's digest", [cosign(ec.privateKey, otherDigest)], /it is for sha256:3333/],
    ["another name", [cosign(ec.privateKey, digest, "quay.io/team/app:2")], /for the name quay.io\/team\/app:2/],
    ["a changed text", [{ ...good, payload: changed }], /not made with a key/],
    ["a signature that is no base64", [{ ...good, signature: "%%" }], /not made with a key/],
    [
      "another kind of text",
      [
        {
          ...good,
          payload: wrongType.toString("base64"),
          signature: sign("sha256", wrongType, ec.privateKey).toString("base64"),
        },
      ],
      /type "atomic container signature"/,
    ],
  ];
  for (const [what, known, message] of wrong) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(policyWith(keyData(ec.publicKey)).check(check({ known })), refused(message));
    });
  }

  it("says which key file it cannot read and what it cannot check", async () => {
    await assert.rejects(policyWith({ keyPath: "/none.pub" }).check(check()), refused(/\/none\.pub cannot be read/));
    const rekor = { ...keyData(ec.publicKey), rekorPublicKeyPath: "/none.log" };
    await assert.rejects(policyWith(rekor).check(check()), refused(/\/none\.log cannot be read/));
    const base = policies({ "policy.json": { default: [{ type: "signedBaseLayer", baseLayerIdentity: {} }] } });
    await assert.rejects(base.check(check()), refused(/berth cannot check signedBaseLayer/));
    const notKey = { keyData: Buffer.from("no key").toString("base64") };
    await assert.rejects(policyWith(notKey).check(check()), refused(/public key 1 cannot be used/));
  });
});

const noGpg = findProgram("gpg") === undefined || findProgram("gpgv") === undefined ? "needs gpg and gpgv" : false;

describe("signedBy", { skip: noGpg }, () => {
  const home = path.join(folder, "gnupg");
  const gpg = async (argv: string[], input = ""): Promise<Buffer> => {
    const options = ["--homedir", home, "--batch", "--quiet", "--yes"];
    const { exitCode, stdout, stderr } = await run([findProgram("gpg") ?? "", ...options, ...argv], { input });
    assert.equal(exitCode, 0, stderr.toString());
    return stdout;
  };
  after(() => run([findProgram("gpgconf") ?? "", "--homedir", home, "--kill", "all"]));

  const makeKey = async (user: string): Promise<string> => {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    await gpg(["--passphrase", "", "--quick-generate-key", user, "ed25519", "sign", "never"]);
    return (await gpg(["--armor", "--export", user])).toString();
  };
  const signedBy = (user: string, signed = digest, reference = "quay.io/team/app:1"): Promise<Buffer> => {
    const text = payloadFor("atomic container signature", signed, reference).toString().replace("null", "{}");
    return gpg(["--local-user", user, "--sign"], text);
  };
  const simple = (message: Buffer): ImageSignature => ({
    kind: "simple",
    digest,
    message: message.toString("base64"),
  });

  it("accepts a message signed with its key and refuses the others", async () => {
    const key = await makeKey("one@example.com");
    await makeKey("two@example.com");
    const keyPath = path.join(folder, "one.asc");
    writeFileSync(keyPath, key);
    const all = policies({ "policy.json": { default: [{ type: "signedBy", keyType: "GPGKeys", keyPath }] } });
    const good = simple(await signedBy("one@example.com"));
    assert.deepEqual(await all.check(check({ known: [good] })), [good]);
    const text = payloadFor("atomic container signature", digest, "quay.io/team/app:1").toString();
    const unsigned = await gpg(["--store"], text.replace("null", "{}"));
    const cases: [Buffer, RegExp][] = [
      [await signedBy("two@example.com"), /a key that is not in the policy/],
      [await signedBy("one@example.com", otherDigest), /it is for sha256:3333/],
      [await signedBy("one@example.com", digest, "quay.io/x:1"), /for the name quay.io\/x:1/],
      [Buffer.from("garbage"), /no signature fits/],
      [unsigned, /no signature fits/],
      [Buffer.concat([unsigned, await signedBy("one@example.com")]), /no signature fits/],
    ];
    for (const [message, problem] of cases)
      await assert.rejects(all.check(check({ known: [simple(message)] })), refused(problem));
  });

  it("finds signatures at the lookaside, in files or at a server", async (test) => {
    const key = await makeKey("three@example.com");
    const requirements = [{ type: "signedBy", keyType: "GPGKeys", keyData: Buffer.from(key).toString("base64") }];
    let fault: number | undefined;
    const place = `team/app@sha256=${"1".repeat(64)}`;
    const store = path.join(folder, "lookaside");
    mkdirSync(path.join(store, place), { recursive: true });
    writeFileSync(path.join(store, place, "signature-1"), "not a signature");
    writeFileSync(path.join(store, place, "signature-2"), await signedBy("three@example.com"));
    const inFiles = { "registries.d/a.yaml": `docker:\n  quay.io/team:\n    lookaside: file://${store}\n` };
    const accepted = await policies({ "policy.json": { default: requirements }, ...inFiles }).check(check());
    assert.equal(accepted.length, 1);

    const signed = await signedBy("three@example.com");
    const asked: string[] = [];
    const authorizations: unknown[] = [];
    const server = createServer((request, response) => {
      asked.push(decodeURI(request.url ?? ""));
      authorizations.push(request.headers.authorization);
      response.statusCode = fault ?? (request.url?.endsWith("signature-1") === true ? 200 : 404);
      response.end(response.statusCode === 200 ? signed : "");
    }).listen(0, "127.0.0.1");
    const stop = (): void => {
      server.closeAllConnections();
      server.close();
    };
    test.after(stop);
    await once(server, "listening");
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    const atServer = {
      "registries.d/b.yaml": `default-docker:\n  lookaside: http://127.0.0.1:${address.port}/sigs/\n`,
    };
    const all = policies({ "policy.json": { default: requirements }, ...atServer });
    assert.equal((await all.check(check())).length, 1);
    assert.deepEqual(asked, [`/sigs/${place}/signature-1`, `/sigs/${place}/signature-2`]);
    const withUser = {
      "registries.d/b.yaml": `default-docker:\n  lookaside: http://us%40er:s3cret@127.0.0.1:${address.port}/sigs/\n`,
    };
    const asUser = policies({ "policy.json": { default: requirements }, ...withUser });
    assert.equal((await asUser.check(check())).length, 1);
    assert.equal(authorizations.at(-1), `Basic ${Buffer.from("us@er:s3cret").toString("base64")}`);
    const kinds = {
      401: "unauthenticated",
      403: "permission-denied",
      429: "registry-unavailable",
      503: "registry-unavailable",
    };
    for (const [status, kind] of Object.entries(kinds)) {
      fault = Number(status);
      const message = new RegExp(`quay.io/team/app:1, which \\S+policy.json.* http://127\\S+signature-1 .*${status}$`);
      await assert.rejects(asUser.check(check()), { kind, message });
    }
    fault = 404;
    await assert.rejects(all.check(check()), refused(/there is no signature/));
    stop();
    for (const some of [all, asUser])
      await assert.rejects(some.check(check()), (error: Error & { kind?: string }) => {
        assert.equal(error.kind, "registry-unavailable");
        assert.match(
          error.message,
          /^RegistryUnavailable: .*http:\/\/127\S+signature-1 cannot be read: .*ECONNREFUSED/,
        );
        assert.doesNotMatch(error.message, /s3cret/);
        return true;
      });
  });
});
