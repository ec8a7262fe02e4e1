/**
 * What `starting` gives; undefined when it is not there `graceMs` after `stop`. Nobody waits for it any more then.
 * @throws what `starting` rejects with
 */
export async function startedInTime<T>(
  starting: Promise<T>,
  stop: Promise<unknown>,
  graceMs: number,
): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = Promise.withResolvers<undefined>();
  let isOver = false;
  void stop.then(() => {
    if (!isOver) timer = setTimeout(() => tooLate.resolve(undefined), graceMs);
  });
  try {
    return await Promise.race([starting, tooLate.promise]);
  } finally {
    isOver = true;
    clearTimeout(timer);
  }
}
