import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { ImageService } from "#cri/gen/runtime/v1/api_pb.ts";
import { busyboxConfig, busyboxEntries } from "../support/busybox.ts";
import { startDaemon, type TestDaemon } from "../support/daemon.ts";
import { buildImage, buildIndex, buildSignatures, type BuiltImage } from "../support/image-builder.ts";
import { containerConfig, createContainer, removePod, runPod } from "../support/pods.ts";
import { registryAccount, startRegistry, type TestRegistry } from "../support/registry.ts";
import { startFaultyProxy } from "../support/faulty-proxy.ts";
import { rejects } from "../support/rejects.ts";
import { cannotRunPods } from "../support/requirements.ts";

const { imageStatus, listImages, pullImage } = ImageService.method;

const key = generateKeyPairSync("ec", { namedCurve: "P-256" });
const foreignKey = generateKeyPairSync("ec", { namedCurve: "P-256" });

let serial = 0;

function image(): BuiltImage {
  serial += 1;
  const own = { entries: [{ path: "etc/serial", content: `${process.pid} ${serial}` }] };
  return buildImage({ layers: [{ entries: busyboxEntries() }, own], config: busyboxConfig });
}

/** Signs a manifest as cosign does, and pushes the signature beside it. */
async function pushSignature(
  registry: TestRegistry,
  repository: string,
  digest: string,
  { privateKey } = key,
): Promise<void> {
  const critical = {
    identity: { "docker-reference": `${registry.host}/${repository}` },
    image: { "docker-manifest-digest": digest },
    type: "cosign container image signature",
  };
  const payload = Buffer.from(JSON.stringify({ critical, optional: null }));
  const signatures = buildSignatures([{ payload, signature: sign("sha256", payload, privateKey) }]);
  await registry.push(signatures, repository, `${digest.replace(":", "-")}.sig`);
}

/** Accepts what was signed under the registry's own name. */
const anyName = ({ host }: TestRegistry) => ({
  signedIdentity: { type: "exactRepository", dockerRepository: `${host}/signed/away` },
});

const pullFor = (daemon: TestDaemon, reference: string, namespace = "default") =>
  daemon.client.call(pullImage, {
    image: { image: reference },
    sandboxConfig: { metadata: { name: "pod", namespace, uid: "uid", attempt: 0 } },
  });

describe("the signature policy", { skip: cannotRunPods() }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), "berth-policies-"));
  let registry: TestRegistry;
  let daemon: TestDaemon;
  before(async () => {
    registry = await startRegistry();
    writeFileSync(path.join(folder, "cosign.pub"), key.publicKey.export({ type: "spki", format: "pem" }));
    const signed = [
      { type: "sigstoreSigned", keyPath: path.join(folder, "cosign.pub"), signedIdentity: { type: "matchRepository" } },
    ];
    const accept = [{ type: "insecureAcceptAnything" }];
    const docker = { [`${registry.host}/signed`]: signed, [`${registry.host}/banned`]: [{ type: "reject" }] };
    writeFileSync(path.join(folder, "policy.json"), JSON.stringify({ default: accept, transports: { docker } }));
    mkdirSync(path.join(folder, "policies"));
    writeFileSync(path.join(folder, "policies/strict.json"), JSON.stringify({ default: signed }));
    const options = [
      `signature_policy = "${folder}/policy.json"`,
      `signature_policy_dir = "${folder}/policies"`,
      `namespaced_auth_dir = "${folder}/auth"`,
    ];
    daemon = await startDaemon({
      insecureRegistries: [registry.host],
      config: { "crio.image": options.join("\n") },
    });
  });
  after(async () => {
    const left = await daemon.cleanUp();
    await registry.stop();
    rmSync(folder, { recursive: true });
    assert.deepEqual(left, []);
  });

  it("refuses repositories that it rejects before anything of them is fetched", async () => {
    const reference = await registry.push(image(), "banned/app", "v1");
    await rejects(
      pullFor(daemon, reference),
      ["UNKNOWN"],
      /^SignatureValidationFailed: .*banned\/app:v1.*policy\.json/,
    );
    assert.deepEqual((await daemon.client.call(listImages, {})).images, []);
  });

  it("accepts what is signed with its key, whether the manifest or its index is", async () => {
    const single = image();
    const reference = await registry.push(single, "signed/single", "v1");
    await rejects(pullFor(daemon, reference), ["UNKNOWN"], /^SignatureValidationFailed: .*there is no signature/);
    await pushSignature(registry, "signed/single", single.manifest.digest);
    await pullFor(daemon, reference);

    const index = buildIndex([image()]);
    const ofIndex = await registry.push(index, "signed/index", "v1");
    await pushSignature(registry, "signed/index", index.manifest.digest);
    await pullFor(daemon, ofIndex);
    await pullFor(daemon, `${registry.host}/signed/index@${index.manifest.digest}`);
  });

  it("refuses what is signed with another key, or was signed as another image", async () => {
    const [one, two] = [image(), image()];
    const first = await registry.push(one, "signed/foreign", "v1");
    await pushSignature(registry, "signed/foreign", one.manifest.digest, foreignKey);
    await rejects(
      pullFor(daemon, first),
      ["UNKNOWN"],
      /^SignatureValidationFailed: .*not made with a key of the policy/,
    );
    const second = await registry.push(two, "signed/moved", "v1");
    await pushSignature(registry, "signed/origin", two.manifest.digest);
    await rejects(pullFor(daemon, second), ["UNKNOWN"], /^SignatureValidationFailed: .*there is no signature/);
  });

  it("cannot be met while the signatures cannot be asked for, which is told as what it is", async () => {
    const built = image();
    await registry.push(built, "signed/away", "v1");
    await pushSignature(registry, "signed/away", built.manifest.digest);
    let isBroken = true;
    await using proxy = await startFaultyProxy(registry.host, ({ target }) =>
      isBroken && target.includes(".sig") ? { kind: "answer", status: 503 } : undefined,
    );
    const own = mkdtempSync(path.join(tmpdir(), "berth-policies-"));
    const requirement = { type: "sigstoreSigned", keyPath: path.join(folder, "cosign.pub") };
    writeFileSync(
      path.join(own, "policy.json"),
      JSON.stringify({ default: [{ ...requirement, ...anyName(registry) }] }),
    );
    await using another = await startDaemon({
      insecureRegistries: [proxy.host],
      config: { "crio.image": `signature_policy = "${own}/policy.json"` },
    });
    const reference = `${proxy.host}/signed/away:v1`;
    await rejects(
      pullFor(another, reference),
      "UNKNOWN",
      new RegExp(
        `^RegistryUnavailable: the signatures of image ${reference}, .*policy.json.* GET .*${proxy.host}/v2.*: 503`,
      ),
    );
    isBroken = false;
    await pullFor(another, reference);
    rmSync(own, { recursive: true });
  });

  it("of a namespace keeps its pods from images that others may have, also as volumes", async () => {
    const reference = await registry.push(image(), "open/app", "v1");
    const { imageRef } = await pullFor(daemon, reference);
    await rejects(pullFor(daemon, reference, "strict"), ["UNKNOWN"], /^SignatureValidationFailed: .*strict\.json/);
    const metadata = { name: "strict", namespace: "strict", uid: "strict-1", attempt: 0 };
    const pod = await runPod(daemon, "strict", { metadata });
    const named = { image: { image: imageRef, userSpecifiedImage: reference } };
    const config = containerConfig(reference, "app", ["true"], named);
    await rejects(createContainer(daemon, pod, config), ["UNKNOWN"], /^SignatureValidationFailed: .*strict\.json/);
    const signed = image();
    const trusted = await registry.push(signed, "signed/trusted", "v1");
    await pushSignature(registry, "signed/trusted", signed.manifest.digest);
    await pullFor(daemon, trusted, "strict");
    const mounts = [{ containerPath: "/data", image: named.image }];
    const withVolume = containerConfig(trusted, "volume", ["true"], { mounts });
    await rejects(
      createContainer(daemon, pod, withVolume),
      ["UNKNOWN"],
      /^ImageVolumeMountFailed: .*SignatureValidationFailed: .*strict\.json/,
    );
    await createContainer(daemon, pod, { ...withVolume, mounts: [] });
    await removePod(daemon, pod.id);

    const other = await runPod(daemon, "open");
    await createContainer(daemon, other, config);
    await removePod(daemon, other.id);
  });

  it("is met by the signatures that were kept when their registry has lost them", async () => {
    const built = image();
    const reference = await registry.push(built, "signed/kept", "v1");
    await pushSignature(registry, "signed/kept", built.manifest.digest);
    const { imageRef } = await pullFor(daemon, reference);
    const tag = `${built.manifest.digest.replace(":", "-")}.sig`;
    const manifest = await fetch(`http://${registry.host}/v2/signed/kept/manifests/${tag}`, {
      headers: { accept: "application/vnd.oci.image.manifest.v1+json" },
    });
    await registry.deleteManifest("signed/kept", manifest.headers.get("docker-content-digest") ?? "");
    await manifest.text();
    await daemon.restart();
    const metadata = { name: "kept", namespace: "strict", uid: "strict-2", attempt: 0 };
    const pod = await runPod(daemon, "kept", { metadata });
    const named = { image: { image: imageRef, userSpecifiedImage: reference } };
    await createContainer(daemon, pod, containerConfig(reference, "app", ["true"], named));
    await removePod(daemon, pod.id);
  });
});

describe("a credential file that waits for a namespace", { skip: cannotRunPods() }, () => {
  it("serves one pull of its image by its namespace, and is gone", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "berth-auth-"));
    await using registry = await startRegistry({ auth: true });
    await using daemon = await startDaemon({
      insecureRegistries: [registry.host],
      config: { "crio.image": `namespaced_auth_dir = "${folder}"` },
    });
    const reference = await registry.push(image(), "private/app", "v1");
    const hash = createHash("sha256").update(`${registry.host}/private/app`).digest("hex");
    const file = path.join(folder, `team-${hash}.json`);
    const auth = Buffer.from(`${registryAccount.username}:${registryAccount.password}`).toString("base64");
    writeFileSync(file, JSON.stringify({ auths: { [registry.host]: { auth } } }));
    await rejects(pullFor(daemon, reference, "other"), ["UNAUTHENTICATED", "UNKNOWN"], /401|credentials|unauthorized/i);
    assert.ok(existsSync(file));
    await pullFor(daemon, reference, "team");
    assert.deepEqual([existsSync(file), readdirSync(path.join(folder, "in-use"))], [false, []]);
    await rejects(pullFor(daemon, reference, "team"), ["UNAUTHENTICATED", "UNKNOWN"], /401|credentials|unauthorized/i);
    assert.ok((await daemon.client.call(imageStatus, { image: { image: reference } })).image !== undefined);
    assert.doesNotMatch(daemon.log(), new RegExp(`${registryAccount.password}|${auth}`));
    rmSync(folder, { recursive: true });
  });
});
