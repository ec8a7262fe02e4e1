import { randomBytes } from "node:crypto";
import { DomainError } from "#errors/domain-error.ts";

/**
 * Requests that wait for the client of their URL. A token is 16 characters of 96 random bits, good for one use within
 * its time.
 */
export class PendingRequests<T> {
  readonly #ttlMs: number;
  readonly #limit: number;
  /** In order of expiry, which is that of insertion. */
  readonly #waiting = new Map<string, { readonly value: T; readonly expiresAtMs: number }>();

  constructor(ttlMs: number, limit: number) {
    this.#ttlMs = ttlMs;
    this.#limit = limit;
  }

  get size(): number {
    this.#dropExpired();
    return this.#waiting.size;
  }

  /** The token for `value`. Throws resource-exhausted when too many wait already. */
  add(value: T): string {
    this.#dropExpired();
    if (this.#waiting.size >= this.#limit) {
      throw new DomainError(
        "resource-exhausted",
        `${this.#limit} streaming requests are waiting for their clients already; try again later`,
      );
    }
    const token = randomBytes(12).toString("base64url");
    this.#waiting.set(token, { value, expiresAtMs: performance.now() + this.#ttlMs });
    return token;
  }

  /** The request of `token` without using it up, or undefined when it is unknown, used or expired. */
  peek(token: string): T | undefined {
    this.#dropExpired();
    return this.#waiting.get(token)?.value;
  }

  /** Uses `token` up. */
  take(token: string): T | undefined {
    const value = this.peek(token);
    this.#waiting.delete(token);
    return value;
  }

  #dropExpired(): void {
    const nowMs = performance.now();
    for (const [token, { expiresAtMs }] of this.#waiting) {
      if (expiresAtMs > nowMs) return;
      this.#waiting.delete(token);
    }
  }
}
