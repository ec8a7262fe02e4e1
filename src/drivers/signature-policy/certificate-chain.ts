import { type Certificate, extensionId, pathLengthOf } from "./certificate.ts";

const codeSigning = "1.3.6.1.5.5.7.3.3";
const anyUsage = "2.5.29.37.0";
const mostAuthorities = 8;
/** Whoever sends many certificates of one name may not keep the daemon busy. */
const mostTries = 100;

/** Critical extensions that are looked at, here or where the subject is compared. */
const understood: readonly string[] = [
  extensionId.keyUsage,
  extensionId.subjectAltName,
  extensionId.basicConstraints,
  extensionId.extendedKeyUsage,
];

export interface ChainRequest {
  leaf: Certificate;
  /** Who may stand between; nothing about them is trusted. */
  intermediates: readonly Certificate[];
  roots: readonly Certificate[];
  at: Date;
}

/**
 * Sees to it that a certificate leads to one of the roots, that all on the way were valid at that time, and that the key may sign code
 * (RFC 5280, section 6, without name constraints: an authority that has some is refused).
 * @throws Error that says what is wrong with the last way that was tried
 */
export function requireChain({ leaf, intermediates, roots, at }: ChainRequest): void {
  const problem = problemOf(leaf, at);
  if (problem !== undefined) throw new Error(`its certificate ${problem}`);
  if (roots.some((root) => isSame(root, leaf))) return;
  let reason = "is issued by nobody whom the policy trusts";
  let tries = 0;
  const leads = (chain: readonly Certificate[]): boolean => {
    const [subject] = chain;
    if (subject === undefined || chain.length > mostAuthorities) return false;
    for (const issuer of [...roots, ...intermediates]) {
      if (chain.some((one) => isSame(one, issuer)) || !subject.x509.checkIssued(issuer.x509)) continue;
      if ((tries += 1) > mostTries) return false;
      if (!isSignedBy(subject, issuer)) continue;
      const wrong = authorityProblem(issuer, chain.length - 1, at);
      if (wrong !== undefined) reason = `is issued by ${nameOf(issuer)}, which ${wrong}`;
      else if (roots.includes(issuer) || leads([issuer, ...chain])) return true;
    }
    return false;
  };
  if (!leads([leaf])) throw new Error(`its certificate ${reason}`);
}

function authorityProblem(authority: Certificate, authoritiesBelow: number, at: Date): string | undefined {
  // node:crypto says so only where the key may sign certificates, too.
  if (!authority.x509.ca) return "is no authority";
  if (authority.extensions.has(extensionId.nameConstraints)) return "has name constraints, which berth cannot check";
  const length = pathLengthOf(authority);
  if (length !== undefined && authoritiesBelow > length) return `may have ${length} authorities below it`;
  return problemOf(authority, at);
}

/** What must not be of any certificate in a chain. */
function problemOf({ x509, extensions }: Certificate, at: Date): string | undefined {
  if (at < x509.validFromDate || at > x509.validToDate)
    return `is valid from ${x509.validFromDate.toISOString()} to ${x509.validToDate.toISOString()}, not at ${at.toISOString()}`;
  const unknown = [...extensions].find(([id, { critical }]) => critical && !understood.includes(id));
  if (unknown !== undefined) return `has the critical extension ${unknown[0]}, which berth does not know`;
  const usages = x509.keyUsage;
  if (extensions.has(extensionId.extendedKeyUsage) && ![codeSigning, anyUsage].some((one) => usages?.includes(one)))
    return "is not for signing code";
  return undefined;
}

function isSignedBy({ x509 }: Certificate, { x509: issuer }: Certificate): boolean {
  // What one can forge proves nothing.
  if (/md[245]|sha-?1(?!\d)/i.test(x509.signatureAlgorithm ?? "")) return false;
  return x509.verify(issuer.publicKey);
}

function isSame(one: Certificate, other: Certificate): boolean {
  return one.x509.raw.equals(other.x509.raw);
}

function nameOf({ x509 }: Certificate): string {
  return JSON.stringify(x509.subject.replaceAll("\n", ", "));
}
