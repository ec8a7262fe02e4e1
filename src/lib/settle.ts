/**
 * Like `Promise.all`, but waits for every promise before it rejects: what is to be undone must have ended first. Several
 * failures are told together, one that several promises share is told once.
 */
export async function settleAll<T extends readonly unknown[]>(
  promises: readonly [...{ [K in keyof T]: Promise<T[K]> | T[K] }],
): Promise<T> {
  const results: PromiseSettledResult<unknown>[] = await Promise.allSettled(
    promises.map((promise) => Promise.resolve(promise)),
  );
  const failures = new Set(
    results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : [])),
  );
  if (failures.size > 1) throw new AggregateError(failures);
  for (const failure of failures) throw failure;
  return results.map((result) => (result.status === "fulfilled" ? result.value : undefined)) as unknown as T;
}
