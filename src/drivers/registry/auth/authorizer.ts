import { createHash } from "node:crypto";
import { DomainError } from "#errors/domain-error.ts";
import { SingleFlight } from "#lib/single-flight.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { basicHeader, fetchToken } from "./token-server.ts";
import type { Credentials } from "./auth-file.ts";
import type { HttpTransport } from "../http/http-transport.ts";
import type { RetryPolicy } from "../http/retry.ts";

/** What a request needs authorization for. */
export interface AuthTarget {
  /** The origin that is asked, e.g. `https://registry.example.com:5000`. */
  origin: string;
  /** e.g. `repository:library/busybox:pull`. */
  scope: string;
  credentials: Credentials;
  /** True for registries that registries.conf calls insecure. */
  insecure: boolean;
}

interface Grant {
  header: string;
  /** In ms since the epoch. */
  usableUntil: number;
}

/** Tokens of repositories not pulled from for long are only ever dropped when there are many. */
const grantLimit = 500;

/**
 * Answers WWW-Authenticate challenges and remembers the answers per origin, scope and credentials. Several requests that
 * need the same token wait for one request to the token server.
 */
export class Authorizer {
  readonly #transport: HttpTransport;
  readonly #retry: RetryPolicy;
  /** Ends the requests to token servers, which belong to no single caller. */
  readonly #closed: AbortSignal;
  readonly #grants = new Map<string, Grant>();
  readonly #flights = new SingleFlight<string, Grant>();

  constructor(transport: HttpTransport, retry: RetryPolicy, closed: AbortSignal) {
    this.#transport = transport;
    this.#retry = retry;
    this.#closed = closed;
  }

  /** The Authorization header to send at once: a token given by the caller, or what the last challenge led to. */
  header(target: AuthTarget): string | undefined {
    if (target.credentials.kind === "registry-token") return `Bearer ${target.credentials.token}`;
    const grant = this.#grants.get(keyOf(target));
    return grant !== undefined && Date.now() < grant.usableUntil ? grant.header : undefined;
  }

  /**
   * The Authorization header that answers a 401's challenge; undefined when there is none that would help: no
   * challenge that is understood, or one that wants a password where there is none.
   * @param refused the header that led to the challenge; what another request has found out since is used at once
   * @throws DomainError unauthenticated when the token server refuses the credentials; what the transport throws
   */
  async answer(
    target: AuthTarget,
    refused: string | undefined,
    wwwAuthenticate: string | undefined,
  ): Promise<string | undefined> {
    const known = this.header(target);
    if (known !== undefined && known !== refused) return known;
    const key = keyOf(target);
    this.#grants.delete(key);
    if (target.credentials.kind === "registry-token") return undefined;
    const challenges = parseChallenges(wwwAuthenticate ?? "");
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    const grant =
      bearer === undefined
        ? basicGrant(target, challenges)
        : await this.#flights.run(key, () => this.#fetch(target, bearer));
    if (grant === undefined) return undefined;
    this.#remember(key, grant);
    return grant.header;
  }

  async #fetch(target: AuthTarget, challenge: Challenge): Promise<Grant> {
    const realm = realmOf(challenge, target);
    const scopes = new Set([target.scope, ...(challenge.parameters.get("scope") ?? "").split(" ").filter(Boolean)]);
    const token = await fetchToken(this.#transport, {
      realm,
      service: challenge.parameters.get("service"),
      scopes: [...scopes],
      credentials: target.credentials,
      insecure: target.insecure,
      retry: this.#retry,
      signal: this.#closed,
    });
    return { header: `Bearer ${token.token}`, usableUntil: token.usableUntil };
  }

  #remember(key: string, grant: Grant): void {
    this.#grants.delete(key);
    this.#grants.set(key, grant);
    const oldest = this.#grants.keys().next();
    if (this.#grants.size > grantLimit && oldest.done !== true) this.#grants.delete(oldest.value);
  }
}

function basicGrant({ credentials }: AuthTarget, challenges: readonly Challenge[]): Grant | undefined {
  if (credentials.kind !== "password" || !challenges.some(({ scheme }) => scheme === "basic")) return undefined;
  return { header: basicHeader(credentials.username, credentials.password), usableUntil: Number.POSITIVE_INFINITY };
}

function realmOf(challenge: Challenge, target: AuthTarget): URL {
  const realm = URL.parse(challenge.parameters.get("realm") ?? "", target.origin);
  const secure = realm?.protocol === "https:";
  if (
    realm !== null &&
    (secure || (realm.protocol === "http:" && (target.insecure || target.origin.startsWith("http:"))))
  )
    return realm;
  throw new DomainError(
    "registry-unavailable",
    `${target.origin} names a token server that cannot be used: ${realm === null ? "no URL" : `${realm.origin} is not HTTPS`}`,
    { facts: { origin: target.origin, reason: "UNKNOWN" } },
  );
}

/** Secrets are kept out of the key: keys end up in heap dumps and debuggers more readily than values. */
function keyOf({ origin, scope, credentials }: AuthTarget): string {
  const fingerprint = createHash("sha256").update(JSON.stringify(credentials)).digest("hex");
  return `${origin} ${scope} ${fingerprint}`;
}
