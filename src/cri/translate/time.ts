/** The CRI's times: nanoseconds since the epoch. 0 means that it has not happened. */
export function timestampNs(decimalNs: string): bigint {
  return BigInt(decimalNs);
}

/** Now, in nanoseconds since the epoch, as precise as the clock of JavaScript is. */
export function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}
