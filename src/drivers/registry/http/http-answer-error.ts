import { DomainError, type ErrorKind } from "#errors/domain-error.ts";
import { type HttpAnswer, describeRequest } from "./http-transport.ts";
import { parseRetryAfter } from "./retry.ts";

/** What registries say in the body of an error is short; more than this is not read. */
const errorBodyLimitBytes = 64 * 1024;
const quoteLimit = 500;

/**
 * Reads the body of an answer that is no success and makes the error of it: method, URL, status and the registry's own
 * words (distribution spec: `errors[].code`, `errors[].message`). Facts have `status`, `reason` and `retryAfterMs`.
 */
export async function answerError(request: { method: string; url: URL }, answer: HttpAnswer): Promise<DomainError> {
  const { code, text } = explain(await bodyText(answer));
  const status = `${answer.status} ${answer.statusText}`.trim();
  const message = `${describeRequest(request)}: ${status}${text === "" ? "" : ` (${text})`}`;
  const retryAfterMs = parseRetryAfter(answer.headers["retry-after"], Date.now());
  return new DomainError(kindOfStatus(answer.status), message, {
    facts: {
      method: request.method,
      url: `${request.url.origin}${request.url.pathname}`,
      status: answer.status,
      reason: code ?? (answer.status === 404 ? "NOT_FOUND" : "UNKNOWN"),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
  });
}

function kindOfStatus(status: number): ErrorKind {
  if (status === 401) return "unauthenticated";
  if (status === 403) return "permission-denied";
  if (status === 404) return "not-found";
  if (status === 400) return "invalid-argument";
  if (status === 429 || status >= 500) return "registry-unavailable";
  return "unavailable";
}

async function bodyText(answer: HttpAnswer): Promise<string> {
  try {
    return Buffer.from(await answer.body.bytes(errorBodyLimitBytes, "the answer")).toString("utf8");
  } catch {
    // The status alone is the failure to report; that its explanation could not be read adds nothing.
    return "";
  }
}

function explain(body: string): { code?: string; text: string } {
  const document = parseJson(body);
  // Proxies and load balancers answer in plain words; of a web page nothing could be read in an event.
  if (document === undefined) return { text: /^\s*</.test(body) ? "" : printable(body).trim() };
  const errors = Array.isArray(document["errors"]) ? document["errors"].filter(isObject) : [document];
  const text = errors.map(explainOne).filter(Boolean).join("; ");
  const code = errors
    .map((error) => error["code"])
    .find((code) => typeof code === "string" && /^[A-Z0-9_]+$/.test(code));
  return typeof code === "string" ? { code, text } : { text };
}

/** Registries write {code, message}; token servers {details}, {error, error_description} or {message}. */
function explainOne(error: Record<string, unknown>): string {
  const words = [error["code"], error["error"], error["message"], error["error_description"], error["details"]];
  return words
    .filter((word) => typeof word === "string" && word !== "")
    .map(printable)
    .join(": ");
}

/** The registry's words go to logs and events of the cluster: no control characters, no floods. */
function printable(text: unknown): string {
  return String(text)
    .replace(/[\p{Cc}\s]+/gu, " ")
    .slice(0, quoteLimit);
}

function parseJson(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
