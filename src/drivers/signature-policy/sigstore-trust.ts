import { checkFields, isObject } from "./json-object.ts";
import { findSources, type KeySources, requireSources } from "./key-sources.ts";

/** Whose sigstore signatures count. `rekor`: keys of logs, one of which has to hold the signature. */
export type SigstoreTrust =
  | { kind: "keys"; keys: KeySources; rekor: KeySources | undefined }
  /** Short-lived certificates for people and programs who have proved who they are to an OIDC issuer. */
  | { kind: "fulcio"; authorities: KeySources; oidcIssuer: string; subjectEmail: string; rekor: KeySources }
  /** Certificates of one's own authorities. At least one of the subject's names is there. */
  | {
      kind: "pki";
      roots: KeySources;
      intermediates: KeySources | undefined;
      subjectEmail: string | undefined;
      subjectHostname: string | undefined;
    };

const keyFields = ["keyPath", "keyPaths", "keyData", "keyDatas"];
const rekorFields = ["rekorPublicKeyPath", "rekorPublicKeyPaths", "rekorPublicKeyData", "rekorPublicKeyDatas"];

/** Fields of a requirement `sigstoreSigned` that `parseSigstoreTrust` reads. */
export const sigstoreTrustFields: readonly string[] = [...keyFields, "fulcio", "pki", ...rekorFields];

/** @throws Error naming `where`, for what containers-policy.json(5) does not allow either */
export function parseSigstoreTrust(value: Record<string, unknown>, where: string): SigstoreTrust {
  const keys = findSources(value, keyFields, where);
  const rekor = findSources(value, rekorFields, where);
  const { fulcio, pki } = value;
  if ([keys, fulcio, pki].filter((one) => one !== undefined).length !== 1)
    throw new Error(`${where} needs one of ${[...keyFields, "fulcio", "pki"].join(", ")}`);
  if (keys !== undefined) return { kind: "keys", keys, rekor };
  if (pki !== undefined) {
    if (rekor !== undefined) throw new Error(`${where} may not have Rekor keys beside pki`);
    return parsePki(pki, `${where}.pki`);
  }
  if (rekor === undefined) throw new Error(`${where} needs one of ${rekorFields.join(", ")} beside fulcio`);
  return parseFulcio(fulcio, rekor, `${where}.fulcio`);
}

function parseFulcio(value: unknown, rekor: KeySources, where: string): SigstoreTrust {
  if (!isObject(value)) throw new Error(`${where} is no object`);
  checkFields(value, ["caPath", "caData", "oidcIssuer", "subjectEmail"], where);
  const authorities = requireSources(value, ["caPath", "caData"], where);
  const oidcIssuer = textOf(value, "oidcIssuer", where);
  const subjectEmail = textOf(value, "subjectEmail", where);
  if (oidcIssuer === undefined || subjectEmail === undefined)
    throw new Error(`${where} needs oidcIssuer and subjectEmail`);
  return { kind: "fulcio", authorities, oidcIssuer, subjectEmail, rekor };
}

function parsePki(value: unknown, where: string): SigstoreTrust {
  if (!isObject(value)) throw new Error(`${where} is no object`);
  const [rootFields, intermediateFields] = [
    ["caRootsPath", "caRootsData"],
    ["caIntermediatesPath", "caIntermediatesData"],
  ] as const;
  checkFields(value, [...rootFields, ...intermediateFields, "subjectEmail", "subjectHostname"], where);
  const subjectEmail = textOf(value, "subjectEmail", where);
  const subjectHostname = textOf(value, "subjectHostname", where);
  if (subjectEmail === undefined && subjectHostname === undefined)
    throw new Error(`${where} needs subjectEmail or subjectHostname`);
  const roots = requireSources(value, rootFields, where);
  const intermediates = findSources(value, intermediateFields, where);
  return { kind: "pki", roots, intermediates, subjectEmail, subjectHostname };
}

function textOf(value: Record<string, unknown>, field: string, where: string): string | undefined {
  const found = value[field];
  if (found === undefined || (typeof found === "string" && found !== "")) return found;
  throw new Error(`${where}.${field} is not what it should be`);
}
