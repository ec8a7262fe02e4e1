/**
 * Like `Promise.all`, but waits for every promise before it rejects: what is to be undone must have ended first. Several
 * failures are told together.
 */
export async function settleAll<T extends readonly unknown[]>(
  promises: readonly [...{ [K in keyof T]: Promise<T[K]> | T[K] }],
): Promise<T> {
  const results: PromiseSettledResult<unknown>[] = await Promise.allSettled(
    promises.map((promise) => Promise.resolve(promise)),
  );
  const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures);
  return results.map((result) => (result.status === "fulfilled" ? result.value : undefined)) as unknown as T;
}
