import type { EntityFilter } from "#domain/runtime.ts";

/** True when the entity has the id, or its beginning, and all the labels of the filter. */
export function fitsFilter(
  entity: { id: string; request: { labels: Readonly<Record<string, string>> } },
  filter: EntityFilter,
): boolean {
  if (filter.id !== undefined && !entity.id.startsWith(filter.id)) return false;
  // A loop, since this runs for each of many entities, mostly without a label to look for.
  for (const key in filter.labels) if (entity.request.labels[key] !== filter.labels[key]) return false;
  return true;
}

/** True when every entity fits. */
export function fitsAll({ id, labels }: EntityFilter): boolean {
  return id === undefined && Object.keys(labels).length === 0;
}
