import { isObject } from "./json-object.ts";
import type { SignedIdentity } from "./signed-identity.ts";

/** Where keys come from: files, or the bytes themselves. */
export interface KeySources {
  paths: readonly string[];
  /** base64. */
  data: readonly string[];
}

/** One condition of a policy; all of a list have to be met. */
export type Requirement =
  | { type: "insecureAcceptAnything" }
  | { type: "reject" }
  | { type: "signedBy"; keys: KeySources; signedIdentity: SignedIdentity }
  | { type: "sigstoreSigned"; keys: KeySources; signedIdentity: SignedIdentity }
  /** Known, but nothing that berth can check: no image meets it. */
  | { type: "unsupported"; what: string };

const defaultIdentity: SignedIdentity = { type: "matchRepoDigestOrExact" };

const sigstoreTrust = ["fulcio", "pki", "rekorPublicKeyPath", "rekorPublicKeyPaths", "rekorPublicKeyData"];
const fieldsOf: Readonly<Record<string, readonly string[]>> = {
  insecureAcceptAnything: [],
  reject: [],
  signedBy: ["keyType", "keyPath", "keyPaths", "keyData", "signedIdentity"],
  signedBaseLayer: ["baseLayerIdentity"],
  sigstoreSigned: [
    "keyPath",
    "keyPaths",
    "keyData",
    "keyDatas",
    ...sigstoreTrust,
    "rekorPublicKeyDatas",
    "signedIdentity",
  ],
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
  if (keyType === "GPGKeys") return { type: "signedBy", keys: parseKeys(value, where), signedIdentity };
  if (keyType === "signedByGPGKeys" || keyType === "X509Certificates" || keyType === "signedByX509CAs")
    return { type: "unsupported", what: `keyType ${keyType}` };
  throw new Error(`${where} has the unknown keyType ${JSON.stringify(keyType)}`);
}

function parseSigstoreSigned(value: Record<string, unknown>, where: string): Requirement {
  const signedIdentity = parseIdentity(value["signedIdentity"], `${where}.signedIdentity`);
  const trust = [...sigstoreTrust, "rekorPublicKeyDatas"].find((field) => value[field] !== undefined);
  if (trust !== undefined) return { type: "unsupported", what: `${trust} of sigstoreSigned` };
  return { type: "sigstoreSigned", keys: parseKeys(value, where), signedIdentity };
}

function parseKeys(value: Record<string, unknown>, where: string): KeySources {
  const given = ["keyPath", "keyPaths", "keyData", "keyDatas"].filter((field) => value[field] !== undefined);
  const [field = ""] = given;
  if (given.length !== 1) throw new Error(`${where} needs one of keyPath, keyPaths and keyData`);
  const found = value[field];
  const texts: unknown[] = Array.isArray(found) && field.endsWith("s") ? found : [found];
  if (texts.length === 0 || !texts.every((text) => typeof text === "string" && text !== ""))
    throw new Error(`${where}.${field} is not what it should be`);
  const strings = texts.map(String);
  return field.startsWith("keyPath") ? { paths: strings, data: [] } : { paths: [], data: strings };
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

function checkFields(value: Record<string, unknown>, known: readonly string[], where: string): void {
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new Error(`${where} has the unknown field ${JSON.stringify(unknown)}`);
}
