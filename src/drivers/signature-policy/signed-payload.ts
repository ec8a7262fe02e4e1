import { isObject } from "./json-object.ts";

/** What a signature says, once it is known to be good. */
export interface SignedPayload {
  /** Digest of the manifest that was signed. */
  digest: string;
  /** The name that it was signed for. */
  reference: string;
}

/**
 * Reads the signed text, containers-signature(5) or its copy by cosign. Further critical fields would mean conditions that are not known
 * here, so there may be none.
 * @throws Error
 */
export function parseSignedPayload(text: string, type: string): SignedPayload {
  const document: unknown = JSON.parse(text);
  const { critical } = fields(document, ["critical", "optional"], "the signed text");
  const { type: found, image, identity } = fields(critical, ["type", "image", "identity"], "critical");
  if (found !== type)
    throw new Error(`it is a signature of type ${JSON.stringify(found)}, not ${JSON.stringify(type)}`);
  const { "docker-manifest-digest": digest } = fields(image, ["docker-manifest-digest"], "critical.image");
  const { "docker-reference": reference } = fields(identity, ["docker-reference"], "critical.identity");
  if (typeof digest !== "string" || typeof reference !== "string")
    throw new Error("digest and name are not both texts");
  return { digest, reference };
}

function fields(value: unknown, names: readonly string[], where: string): Record<string, unknown> {
  if (!isObject(value)) throw new Error(`${where} is no object`);
  const wrong = [
    ...names.filter((name) => !(name in value)),
    ...Object.keys(value).filter((key) => !names.includes(key)),
  ];
  if (wrong.length > 0) throw new Error(`${where} has not exactly the fields ${names.join(", ")}`);
  return value;
}
