import { createHash, type KeyObject, verify } from "node:crypto";
import { messageOf } from "#errors/domain-error.ts";
import { isObject } from "./json-object.ts";
import { onlyPemBlock } from "./pem.ts";

/** What an entry of the log has to be about. */
export interface LoggedSignature {
  /** DER of the public key or of the certificate. */
  keyOrCertificate: Uint8Array;
  signature: Uint8Array;
  /** The signed text. */
  payload: Uint8Array;
}

/**
 * Sees to it that a Rekor log has promised, by a "signed entry timestamp", to hold this signature. Nothing is asked of the log itself.
 * @param bundle JSON as cosign writes it beside the signature
 * @returns when the log took the entry in
 * @throws Error
 */
export function requireLogged(logKeys: readonly KeyObject[], bundle: string, logged: LoggedSignature): Date {
  try {
    const { SignedEntryTimestamp: timestamp, Payload: payload } = exactly(JSON.parse(bundle), [
      "SignedEntryTimestamp",
      "Payload",
    ]);
    const { body, integratedTime, logID, logIndex } = exactly(payload, ["body", "integratedTime", "logID", "logIndex"]);
    // RFC 8785: names in this order, and strings and numbers as JavaScript writes them.
    const canonical = JSON.stringify({
      body: text(body),
      integratedTime: integer(integratedTime),
      logID: text(logID),
      logIndex: integer(logIndex),
    });
    const made = Buffer.from(text(timestamp), "base64");
    if (!logKeys.some((key) => verify("sha256", Buffer.from(canonical), key, made)))
      throw new Error("no Rekor key of the policy has signed it");
    requireEntry(JSON.parse(Buffer.from(text(body), "base64").toString("utf8")), logged);
    return new Date(integer(integratedTime) * 1000);
  } catch (error) {
    throw new Error(`its entry in the Rekor log does not count: ${messageOf(error)}`, { cause: error });
  }
}

/** Compares an entry of the kind `hashedrekord` 0.0.1, the only one that cosign makes for images. */
function requireEntry(entry: unknown, { keyOrCertificate, signature, payload }: LoggedSignature): void {
  const { kind, apiVersion, spec } = object(entry);
  if (kind !== "hashedrekord" || apiVersion !== "0.0.1")
    throw new Error(`it is of the kind ${String(kind)} ${String(apiVersion)}`);
  const { signature: made, data } = object(spec);
  const { content, publicKey } = object(made);
  const key = onlyPemBlock(Buffer.from(text(object(publicKey)["content"]), "base64").toString("utf8"));
  if (!key.equals(keyOrCertificate)) throw new Error("it is about another key");
  if (!Buffer.from(text(content), "base64").equals(signature)) throw new Error("it is about another signature");
  const { algorithm, value } = object(object(data)["hash"]);
  if (algorithm !== "sha256") throw new Error(`it has a hash by ${String(algorithm)}`);
  if (text(value).toLowerCase() !== createHash("sha256").update(payload).digest("hex"))
    throw new Error("it is about another text");
}

function exactly(value: unknown, names: readonly string[]): Record<string, unknown> {
  const found = object(value);
  const keys = Object.keys(found);
  if (keys.length !== names.length || !names.every((name) => keys.includes(name)))
    throw new Error(`it has not exactly the fields ${names.join(", ")}`);
  return found;
}

function object(value: unknown): Record<string, unknown> {
  if (isObject(value)) return value;
  throw new Error("it lacks an object");
}

function text(value: unknown): string {
  if (typeof value === "string") return value;
  throw new Error("it lacks a text");
}

function integer(value: unknown): number {
  if (Number.isSafeInteger(value)) return Number(value);
  throw new Error("it lacks a whole number");
}
