import { setTimeout as sleep } from "node:timers/promises";
import { DomainError } from "#errors/domain-error.ts";
import { ConnectionFailure, abortError } from "./failure.ts";

export interface RetryPolicy {
  /** Tries in all, the first included. */
  attempts: number;
  /** The first pause; it doubles with each try. */
  baseDelayMs: number;
  /** The longest pause. A registry that asks for a longer one in Retry-After is not asked again. */
  maxDelayMs: number;
}

/**
 * Runs `work` again while it fails with 429, 500, 502, 503, 504 or a reset connection, with growing pauses or the one that
 * Retry-After names. Throws the last failure. Connections that cannot be made at all are not tried again: the kubelet
 * will, and a mirror or the next registry may be waiting for its turn.
 */
export async function withRetries<T>(policy: RetryPolicy, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= policy.attempts || signal.aborted || !isTransient(error)) throw error;
      const delayMs = pauseAfter(policy, attempt, error);
      if (delayMs === undefined) throw error;
      await pause(delayMs, signal);
    }
  }
}

/** Milliseconds that a Retry-After header (seconds or a date) asks to wait; undefined when there is none. */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

function isTransient(error: unknown): boolean {
  if (error instanceof ConnectionFailure) return error.transient;
  const status = error instanceof DomainError ? error.facts["status"] : undefined;
  return typeof status === "number" && [429, 500, 502, 503, 504].includes(status);
}

function pauseAfter(policy: RetryPolicy, attempt: number, error: unknown): number | undefined {
  const asked = error instanceof DomainError ? error.facts["retryAfterMs"] : undefined;
  // Half of the pause is random, so that many pulls that failed together do not come back together.
  const grown = policy.baseDelayMs * 2 ** (attempt - 1) * (0.5 + Math.random() / 2);
  if (typeof asked !== "number") return Math.min(policy.maxDelayMs, grown);
  return asked > policy.maxDelayMs ? undefined : Math.max(asked, policy.baseDelayMs);
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    throw abortError(signal, "waiting to try again");
  }
}
