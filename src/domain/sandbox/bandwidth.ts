import { DomainError } from "#errors/domain-error.ts";

const suffixes: Record<string, number> = {
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
};

/**
 * The pod's bandwidth limits from the annotations that Kubernetes defines for them (`kubernetes.io/ingress-bandwidth: 10M`), in bits
 * a second; undefined when there are none.
 * @throws DomainError invalid-argument for what is no quantity
 */
export function bandwidthOf(
  annotations: Readonly<Record<string, string>>,
): { ingressBitsPerSecond?: number; egressBitsPerSecond?: number } | undefined {
  const ingress = bits(annotations, "kubernetes.io/ingress-bandwidth");
  const egress = bits(annotations, "kubernetes.io/egress-bandwidth");
  if (ingress === undefined && egress === undefined) return undefined;
  return {
    ...(ingress === undefined ? {} : { ingressBitsPerSecond: ingress }),
    ...(egress === undefined ? {} : { egressBitsPerSecond: egress }),
  };
}

function bits(annotations: Readonly<Record<string, string>>, key: string): number | undefined {
  const text = annotations[key];
  if (text === undefined) return undefined;
  const match = /^(\d+(?:\.\d+)?)([kMGT]i?|)$/.exec(text);
  const value = Number(match?.[1]) * (suffixes[match?.[2] ?? "?"] ?? Number.NaN);
  if (Number.isFinite(value) && value > 0) return Math.round(value);
  throw new DomainError("invalid-argument", `annotation ${key}: ${JSON.stringify(text)} is no bandwidth`);
}
