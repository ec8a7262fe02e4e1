import { DomainError } from "#errors/domain-error.ts";
import { type HttpAnswer, type HttpRequest, type HttpTransport, describeRequest } from "./http-transport.ts";

const redirectLimit = 10;

export interface RedirectedRequest extends HttpRequest {
  /** True when an HTTPS answer may lead to plain HTTP: only for registries that are insecure anyway. */
  plainAllowed: boolean;
}

/**
 * Sends a request and follows the redirects of a GET. `authorization` goes to the origin it was made for and to no other:
 * blobs are commonly served by another host, whose URL holds its own signature.
 * @returns the answer and the URL that gave it
 * @throws what HttpTransport.send throws; DomainError registry-unavailable for a redirect that is not followed
 */
export async function sendFollowing(
  transport: HttpTransport,
  request: RedirectedRequest,
): Promise<{ answer: HttpAnswer; url: URL }> {
  let { url, headers } = request;
  for (let count = 0; ; count += 1) {
    const answer = await transport.send({ ...request, url, headers });
    const location = answer.headers.location;
    if (request.method !== "GET" || location === undefined || ![301, 302, 303, 307, 308].includes(answer.status))
      return { answer, url };
    await answer.body.drain();
    const next = target(location, url, request);
    if (count >= redirectLimit) throw refuse(request, `more than ${redirectLimit} redirects`);
    if (next.origin !== url.origin) headers = withoutAuthorization(headers);
    url = next;
  }
}

function target(location: string, base: URL, request: RedirectedRequest): URL {
  const url = URL.parse(location, base.href);
  if (url === null) throw refuse(request, "redirected to what is no URL");
  const plain = url.protocol === "http:" && (base.protocol === "http:" || request.plainAllowed);
  if (url.protocol !== "https:" && !plain) throw refuse(request, `redirected to ${url.origin}, which is not HTTPS`);
  return url;
}

function withoutAuthorization(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== "authorization"));
}

function refuse(request: HttpRequest, why: string): DomainError {
  const facts = { url: `${request.url.origin}${request.url.pathname}`, reason: "UNKNOWN" };
  return new DomainError("registry-unavailable", `${describeRequest(request)}: ${why}`, { facts });
}
