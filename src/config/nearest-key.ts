import { editDistance } from "#lib/edit-distance.ts";
import { sectionList } from "./options.ts";

/** The option that an unknown key was most likely meant to be: the same key elsewhere, or one spelled alike. */
export function nearestKey(path: readonly string[]): string | undefined {
  const key = path.at(-1) ?? "";
  const table = path.slice(0, -1).join(".");
  let best: { path: string; cost: number } | undefined;
  for (const candidate of knownKeys()) {
    const sameTable = candidate.pattern.test(table);
    const distance = editDistance(key, candidate.key);
    // A typing error rarely spoils more than a third of a word; a key in the wrong table has to be spelled right.
    if (distance > (sameTable ? Math.max(1, Math.floor(key.length / 3)) : 0)) continue;
    const cost = distance + (sameTable ? 0 : 1);
    const shown = `${sameTable ? table : candidate.table}.${candidate.key}`;
    if (best === undefined || cost < best.cost) best = { path: shown, cost };
  }
  return best?.path;
}

function knownKeys(): { key: string; table: string; pattern: RegExp }[] {
  return sectionList.flatMap(([, section]) => [
    ...Object.values(section.fields).map(({ key }) => ({ key, table: section.table, pattern: exactly(section.table) })),
    ...Object.values(section.tables).flatMap((named) => {
      const prefix = `${section.table}.${named.key}`;
      const pattern = new RegExp(`^${escape(prefix)}\\.[^]+$`);
      return Object.values(named.fields).map(({ key }) => ({ key, table: `${prefix}.NAME`, pattern }));
    }),
  ]);
}

function exactly(table: string): RegExp {
  return new RegExp(`^${escape(table)}$`);
}

function escape(word: string): string {
  return word.replaceAll(".", "\\.");
}
