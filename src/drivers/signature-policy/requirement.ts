import { checkFields, isObject } from "./json-object.ts";
import { type KeySources, requireSources } from "./key-sources.ts";
import type { SignedIdentity } from "./signed-identity.ts";
import { parseSigstoreTrust, type SigstoreTrust, sigstoreTrustFields } from "./sigstore-trust.ts";

/** One condition of a policy; all of a list have to be met. */
export type Requirement =
  | { type: "insecureAcceptAnything" }
  | { type: "reject" }
  | { type: "signedBy"; keys: KeySources; signedIdentity: SignedIdentity }
  | { type: "sigstoreSigned"; trust: SigstoreTrust; signedIdentity: SignedIdentity }
  /** Known, but nothing that berth can check: no image meets it. */
  | { type: "unsupported"; what: string };

const defaultIdentity: SignedIdentity = { type: "matchRepoDigestOrExact" };

const signedByKeys = ["keyPath", "keyPaths", "keyData"];

const fieldsOf: Readonly<Record<string, readonly string[]>> = {
  insecureAcceptAnything: [],
  reject: [],
  signedBy: ["keyType", ...signedByKeys, "signedIdentity"],
  signedBaseLayer: ["baseLayerIdentity"],
  sigstoreSigned: [...sigstoreTrustFields, "signedIdentity"],
};

/** @throws Error naming `where` */
export function parseRequirement(value: unknown, where: string): Requirement {
  if (!isObject(value)) throw new Error(`${where} is no object`);
  const type = String(value["type"]);
  const known = fieldsOf[type];
  if (known === undefined) throw new Error(`${where} has the unknown type ${JSON.stringify(value["type"])}`);
  checkFields(value, ["type", ...known], where);
  switch (type) {
    case "insecureAcceptAnything":
    case "reject":
      return { type };
    case "signedBy":
      return parseSignedBy(value, where);
    case "sigstoreSigned":
      return parseSigstoreSigned(value, where);
    default:
      return { type: "unsupported", what: type };
  }
}

function parseSignedBy(value: Record<string, unknown>, where: string): Requirement {
  const signedIdentity = parseIdentity(value["signedIdentity"], `${where}.signedIdentity`);
  const keyType = value["keyType"];
  if (keyType === "GPGKeys")
    return { type: "signedBy", keys: requireSources(value, signedByKeys, where), signedIdentity };
  if (keyType === "signedByGPGKeys" || keyType === "X509Certificates" || keyType === "signedByX509CAs")
    return { type: "unsupported", what: `keyType ${keyType}` };
  throw new Error(`${where} has the unknown keyType ${JSON.stringify(keyType)}`);
}

function parseSigstoreSigned(value: Record<string, unknown>, where: string): Requirement {
  const signedIdentity = parseIdentity(value["signedIdentity"], `${where}.signedIdentity`);
  return { type: "sigstoreSigned", trust: parseSigstoreTrust(value, where), signedIdentity };
}

function parseIdentity(value: unknown, where: string): SignedIdentity {
  if (value === undefined) return defaultIdentity;
  if (!isObject(value)) throw new Error(`${where} is no object`);
  const text = (field: string): string => {
    const found = value[field];
    if (typeof found === "string" && found !== "") return found;
    throw new Error(`${where} has no ${field}`);
  };
  const allow = (...fields: string[]): void => checkFields(value, ["type", ...fields], where);
  switch (value["type"]) {
    case "matchExact":
    case "matchRepoDigestOrExact":
    case "matchRepository":
      allow();
      return { type: value["type"] };
    case "exactReference":
      allow("dockerReference");
      return { type: "exactReference", dockerReference: text("dockerReference") };
    case "exactRepository":
      allow("dockerRepository");
      return { type: "exactRepository", dockerRepository: text("dockerRepository") };
    case "remapIdentity":
      allow("prefix", "signedPrefix");
      return { type: "remapIdentity", prefix: text("prefix"), signedPrefix: text("signedPrefix") };
    default:
      throw new Error(`${where} has the unknown type ${JSON.stringify(value["type"])}`);
  }
}
