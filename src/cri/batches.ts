/** Items in one message of a Stream* RPC: well below the limit of a message, and enough to cost nothing. */
const batchSize = 1000;

/** The items in batches; none for no items, since the CRI wants at least one item in each message. */
export function* batches<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += batchSize) yield items.slice(start, start + batchSize);
}
