import { messageOf } from "#errors/domain-error.ts";
import type { ImageSignature } from "#spec/image-signature.ts";
import type { Digest } from "#spec/oci-image.ts";
import type { DockerName } from "./docker-name.ts";
import type { SignatureCheck } from "./index.ts";
import { readLookaside } from "./lookaside.ts";
import { openSignedMessage } from "./openpgp.ts";
import { lookasideOf } from "./registries-d.ts";
import { readSources } from "./key-sources.ts";
import type { Requirement } from "./requirement.ts";
import { fitsIdentity } from "./signed-identity.ts";
import { parseSignedPayload } from "./signed-payload.ts";
import { sigstoreOpener } from "./sigstore-signature.ts";

type SigningRequirement = Extract<Requirement, { signedIdentity: unknown }>;

/** Gives the signature that meets the requirement, if it takes one. @throws Error that says why it is not met */
export async function fulfil(
  requirement: Requirement,
  name: DockerName,
  request: SignatureCheck,
  registriesDirectory: string,
): Promise<ImageSignature[]> {
  switch (requirement.type) {
    case "insecureAcceptAnything":
      return [];
    case "reject":
      throw new Error("images from there are not allowed");
    case "unsupported":
      throw new Error(`berth cannot check ${requirement.what}`);
    case "signedBy": {
      const fetch = async (digest: Digest): Promise<ImageSignature[]> => {
        const messages = await readLookaside(
          await lookasideOf(registriesDirectory, name),
          name,
          digest,
          request.signal,
        );
        return messages.map((bytes) => ({ kind: "simple", digest, message: Buffer.from(bytes).toString("base64") }));
      };
      return [await findAccepted(requirement, name, request, fetch)];
    }
    case "sigstoreSigned":
      return [await findAccepted(requirement, name, request, (digest) => request.attachments(digest))];
  }
}

async function findAccepted(
  requirement: SigningRequirement,
  name: DockerName,
  request: SignatureCheck,
  fetch: (digest: Digest) => Promise<readonly ImageSignature[]>,
): Promise<ImageSignature> {
  const open = await opener(requirement);
  const kind = requirement.type === "signedBy" ? "simple" : "sigstore";
  const reasons = new Set<string>();
  const firstGood = async (signatures: readonly ImageSignature[]): Promise<ImageSignature | undefined> => {
    for (const signature of signatures) {
      if (signature.kind !== kind || !request.digests.includes(signature.digest)) continue;
      try {
        checkPayload(await open(signature), requirement, name, signature.digest);
        return signature;
      } catch (error) {
        reasons.add(messageOf(error));
      }
    }
    return undefined;
  };
  const known = await firstGood(request.known);
  if (known !== undefined) return known;
  for (const digest of new Set(request.digests)) {
    const fetched = await firstGood(await fetch(digest));
    if (fetched !== undefined) return fetched;
  }
  throw new Error(
    reasons.size === 0
      ? "it has to be signed, and there is no signature"
      : `no signature fits: ${[...reasons].join("; ")}`,
  );
}

/** How the text in a signature is got at: only if the signature is good. */
async function opener(requirement: SigningRequirement): Promise<(signature: ImageSignature) => Promise<string>> {
  if (requirement.type === "signedBy") {
    const keys = await readSources(requirement.keys);
    return async (signature) => {
      if (signature.kind !== "simple") throw new Error("it is no OpenPGP signature");
      return openSignedMessage(keys, Buffer.from(signature.message, "base64"));
    };
  }
  const openSigstore = await sigstoreOpener(requirement.trust);
  return async (signature) => {
    if (signature.kind !== "sigstore") throw new Error("it is no sigstore signature");
    return openSigstore(signature);
  };
}

const payloadTypes = { signedBy: "atomic container signature", sigstoreSigned: "cosign container image signature" };

function checkPayload(text: string, requirement: SigningRequirement, name: DockerName, digest: Digest): void {
  const payload = parseSignedPayload(text, payloadTypes[requirement.type]);
  if (payload.digest !== digest) throw new Error(`it is for ${payload.digest}, not for ${digest}`);
  if (!fitsIdentity(requirement.signedIdentity, name, payload.reference))
    throw new Error(`it is for the name ${payload.reference} (signedIdentity ${requirement.signedIdentity.type})`);
}
