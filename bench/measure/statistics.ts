export interface Summary {
  count: number;
  median: number;
  p90: number;
  least: number;
  most: number;
}

/** What is reported of a series of measurements; `undefined` for an empty one. */
export function summarize(samples: readonly number[]): Summary | undefined {
  const sorted = samples.toSorted((a, b) => a - b);
  const [least, most] = [sorted[0], sorted.at(-1)];
  if (least === undefined || most === undefined) return undefined;
  return { count: sorted.length, median: quantile(sorted, 0.5), p90: quantile(sorted, 0.9), least, most };
}

/** Between two neighbours the value is interpolated, so that the median of an even count is the mean of its middle. */
function quantile(sorted: readonly number[], fraction: number): number {
  const position = fraction * (sorted.length - 1);
  const below = sorted[Math.floor(position)] ?? 0;
  const above = sorted[Math.ceil(position)] ?? below;
  return below + (above - below) * (position - Math.floor(position));
}
