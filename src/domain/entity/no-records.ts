import type { Records } from "#drivers/records/index.ts";

/** Records that are kept nowhere, for tests that look at memory alone. `changes` stand in for what a test does look at. */
export function noRecords<E>(changes: Partial<Records<E>> = {}): Records<E> {
  return {
    load: async () => ({ records: [], corrupt: [] }),
    put: async () => {},
    remove: async () => {},
    close: async () => {},
    ...changes,
  };
}
