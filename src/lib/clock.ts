let lastNs = 0n;

/** Nanoseconds since the epoch, decimal; every call gives a larger number than the one before, so that it orders events. */
export function nowNs(): string {
  const now = BigInt(Date.now()) * 1_000_000n;
  lastNs = now > lastNs ? now : lastNs + 1n;
  return lastNs.toString();
}
