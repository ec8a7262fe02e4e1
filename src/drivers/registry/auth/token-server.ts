import { DomainError } from "#errors/domain-error.ts";
import { answerError } from "../http/http-answer-error.ts";
import { type HttpTransport, describeRequest } from "../http/http-transport.ts";
import { sendFollowing } from "../http/redirects.ts";
import { type RetryPolicy, withRetries } from "../http/retry.ts";
import type { Credentials } from "./auth-file.ts";

export interface BearerToken {
  token: string;
  /** In ms since the epoch, a little before the token expires. */
  usableUntil: number;
}

export interface TokenRequest {
  realm: URL;
  service: string | undefined;
  scopes: readonly string[];
  credentials: Credentials;
  insecure: boolean;
  retry: RetryPolicy;
  signal: AbortSignal;
}

const clientId = "berth";
const tokenLimitBytes = 1024 * 1024;
/** What the token specification says a token lives at least, and when the server does not say. */
const leastLifeSeconds = 60;

/**
 * Fetches a bearer token as the distribution project's token and OAuth2 specifications say: GET with Basic or without
 * credentials, POST for a refresh token.
 * @throws DomainError unauthenticated when the server refuses; registry-unavailable for 429 and 5xx after retries and for
 *   answers that hold no token; ConnectionFailure
 */
export async function fetchToken(transport: HttpTransport, request: TokenRequest): Promise<BearerToken> {
  const { method, url, headers, body } = httpRequest(request);
  const send = async () => {
    const following = { method, url, headers, ...(body === undefined ? {} : { body }) };
    const settings = { verify: !request.insecure, plainAllowed: request.insecure, signal: request.signal };
    const { answer, url: answeredBy } = await sendFollowing(transport, { ...following, ...settings });
    if (answer.status !== 200) throw refused(await answerError({ method, url: answeredBy }, answer));
    return Buffer.from(await answer.body.bytes(tokenLimitBytes, "the token"));
  };
  return parseToken(await withRetries(request.retry, request.signal, send), describeRequest({ method, url }));
}

function httpRequest({ realm, service, scopes, credentials }: TokenRequest) {
  const url = new URL(realm);
  if (credentials.kind === "identity-token") {
    const form = new URLSearchParams({ grant_type: "refresh_token", refresh_token: credentials.token });
    form.set("client_id", clientId);
    form.set("scope", scopes.join(" "));
    if (service !== undefined) form.set("service", service);
    const headers: Record<string, string> = { "content-type": "application/x-www-form-urlencoded" };
    return { method: "POST", url, headers, body: form.toString() } as const;
  }
  if (service !== undefined) url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  const headers: Record<string, string> = {};
  if (credentials.kind === "password") {
    url.searchParams.set("account", credentials.username);
    headers["authorization"] = basicHeader(credentials.username, credentials.password);
  }
  return { method: "GET", url, headers, body: undefined } as const;
}

/** Basic authentication, RFC 7617. */
export function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

/** Token servers say 400, 401 or 403 for credentials they do not accept. */
function refused(error: DomainError): DomainError {
  const status = error.facts["status"];
  const kind = status === 400 || status === 401 || status === 403 ? "unauthenticated" : "registry-unavailable";
  return new DomainError(kind, `no token: ${error.message}`, { facts: error.facts, cause: error });
}

function parseToken(body: Buffer, request: string): BearerToken {
  let answer: unknown;
  try {
    answer = JSON.parse(body.toString("utf8"));
  } catch {
    // The parser would quote the answer, and with it perhaps a token.
    throw unusable(`${request}: the answer is not JSON`);
  }
  const fields: Record<string, unknown> = typeof answer === "object" && answer !== null ? { ...answer } : {};
  const token = fields["token"] || fields["access_token"];
  // Anything else could not stand in a header.
  if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) throw unusable(`${request}: no token in the answer`);
  const expiresIn = fields["expires_in"];
  const lifeSeconds = Math.max(typeof expiresIn === "number" ? expiresIn : 0, leastLifeSeconds);
  // Counted from now, not from `issued_at`: the clocks may differ. A tenth is left for the way.
  return { token, usableUntil: Date.now() + lifeSeconds * 900 };
}

function unusable(message: string): DomainError {
  return new DomainError("registry-unavailable", message, { facts: { reason: "UNKNOWN" } });
}
