import type { EntityFilter } from "#domain/runtime.ts";

/** True when the entity has the id, or its beginning, and all the labels of the filter. */
export function fitsFilter(
  entity: { id: string; request: { labels: Readonly<Record<string, string>> } },
  filter: EntityFilter,
): boolean {
  if (filter.id !== undefined && !entity.id.startsWith(filter.id)) return false;
  return Object.entries(filter.labels).every(([key, value]) => entity.request.labels[key] === value);
}
