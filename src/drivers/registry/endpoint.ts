import type { IncomingHttpHeaders } from "node:http";
import { abortError } from "./http/failure.ts";
import { answerError } from "./http/http-answer-error.ts";
import { type RetryPolicy, withRetries } from "./http/retry.ts";
import type { AuthTarget, Authorizer } from "./auth/authorizer.ts";
import type { Credentials } from "./auth/auth-file.ts";
import type { RegistryConnection } from "./connection.ts";
import type { HttpAnswer } from "./http/http-transport.ts";
import type { ImageReference } from "./index.ts";

export interface EndpointParts {
  connection: RegistryConnection;
  authorizer: Authorizer;
  /** What to fetch here: for a mirror its own name of the image. */
  reference: ImageReference;
  credentials: Credentials;
  retry: RetryPolicy;
}

export interface EndpointRequest {
  /** Below `/v2/<repository>/`. */
  path: string;
  headers?: Readonly<Record<string, string>>;
  /** Statuses that are answers rather than failures. */
  expect: readonly number[];
  signal: AbortSignal;
}

type Exchange = { answer: HttpAnswer; url: URL };

/** One repository at one registry, with the credentials for it: GET with authorization and retries. */
export class Endpoint {
  readonly #parts: EndpointParts;

  constructor(parts: EndpointParts) {
    this.#parts = parts;
  }

  get reference(): ImageReference {
    return this.#parts.reference;
  }

  /**
   * @returns an answer with one of the expected statuses, whose body the caller reads or discards
   * @throws DomainError of the kind that fits any other status; ConnectionFailure
   */
  async get(request: EndpointRequest): Promise<Exchange> {
    return withRetries(this.#parts.retry, request.signal, () => this.#getOnce(request));
  }

  /** As `get`, and reads the body; a connection that breaks while it is read is a reason to try again too. */
  async getBytes(
    request: EndpointRequest,
    limitBytes: number,
    what: string,
  ): Promise<{ bytes: Uint8Array; headers: IncomingHttpHeaders }> {
    return withRetries(this.#parts.retry, request.signal, async () => {
      const { answer } = await this.#getOnce(request);
      return { bytes: await answer.body.bytes(limitBytes, what), headers: answer.headers };
    });
  }

  async #getOnce(request: EndpointRequest): Promise<Exchange> {
    const exchange = await this.#sendAuthorized(request);
    if (request.expect.includes(exchange.answer.status)) return exchange;
    throw await answerError({ method: "GET", url: exchange.url }, exchange.answer);
  }

  async #sendAuthorized(request: EndpointRequest): Promise<Exchange> {
    const known = this.#parts.authorizer.header(this.#target());
    const first = await this.#send(request, known);
    const header = await this.#answerChallenge(first, known, request.signal);
    if (header === undefined) return first;
    await first.answer.body.drain();
    return this.#send(request, header);
  }

  /** The header to try again with; undefined when the first answer stands. */
  async #answerChallenge({ answer, url }: Exchange, sent: string | undefined, signal: AbortSignal) {
    // What a redirect led to may not ask for the registry's credentials.
    if (url.origin !== new URL(this.#parts.connection.origin).origin) return undefined;
    if (answer.status === 401) return this.#authorize(sent, answer.headers["www-authenticate"], signal);
    // Some registries say "forbidden" or "not found" to strangers where a challenge is due. Only the base path tells.
    const stranger = sent === undefined && this.#parts.credentials.kind !== "anonymous";
    if (!stranger || (answer.status !== 403 && answer.status !== 404)) return undefined;
    const base = await this.#parts.connection.get({ path: "/v2/", headers: {}, signal });
    await base.answer.body.drain();
    if (base.answer.status !== 401) return undefined;
    return this.#authorize(sent, base.answer.headers["www-authenticate"], signal);
  }

  /** A caller that gives up stops waiting; the token request goes on for whoever else waits for it. */
  async #authorize(
    sent: string | undefined,
    challenge: string | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { promise, reject } = Promise.withResolvers<never>();
    const abort = () => reject(abortError(signal, "waiting for a token"));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await Promise.race([this.#parts.authorizer.answer(this.#target(), sent, challenge), promise]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  #send(request: EndpointRequest, authorization: string | undefined): Promise<Exchange> {
    const headers = { ...request.headers, ...(authorization === undefined ? {} : { authorization }) };
    const path = `/v2/${this.#parts.reference.repository}/${request.path}`;
    return this.#parts.connection.get({ path, headers, signal: request.signal });
  }

  #target(): AuthTarget {
    const { connection, reference, credentials } = this.#parts;
    const scope = `repository:${reference.repository}:pull`;
    return { origin: connection.origin, scope, credentials, insecure: connection.insecure };
  }
}
