import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import type { Option } from "./option.ts";
import { sectionList } from "./options.ts";

/** `table.key` of every option that has no effect. */
function withoutEffect(): string[] {
  const of = (table: string, fields: Readonly<Record<string, Option<unknown>>>) =>
    Object.values(fields).flatMap(({ key, status }) => (status === "accepted" ? [`${table}.${key}`] : []));
  return sectionList.flatMap(([, section]) => [
    ...of(section.table, section.fields),
    ...Object.values(section.tables).flatMap((named) => of(`${section.table}.${named.key}.NAME`, named.fields)),
  ]);
}

describe("docs/differences-from-cri-o.md", () => {
  it("lists exactly the options without effect", () => {
    const page = readFileSync(path.resolve(import.meta.dirname, "../../docs/differences-from-cri-o.md"), "utf8");
    const [, list = ""] = page.split("## Options without effect");
    const listed = [...list.matchAll(/^- `\[(.+)\]`: (.+)$/gm)].flatMap(([, table, keys = ""]) =>
      [...keys.matchAll(/`([^`]+)`/g)].map(([, key]) => `${table}.${key}`),
    );
    assert.deepEqual(listed.toSorted(), withoutEffect().toSorted());
  });
});
