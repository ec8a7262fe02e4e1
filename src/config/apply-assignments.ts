import type { Assignment } from "./assignment.ts";
import { defaultConfig, namedTableDefaults } from "./default-config.ts";
import { type Config, sections } from "./options.ts";
import type { AnySection } from "./section.ts";

/** The defaults with these assignments made in order. Tables that the user names are merged option by option. */
export function applyAssignments(assignments: readonly Assignment[]): Config {
  const draft = defaultConfig() as unknown as Record<string, Record<string, unknown>>;
  for (const assignment of assignments) {
    const values = draft[assignment.section];
    if (values === undefined) continue;
    if (assignment.table === undefined) {
      if (assignment.property !== undefined) values[assignment.property] = assignment.value;
    } else {
      values[assignment.table.property] = withTable(values[assignment.table.property], assignment, assignment.table);
    }
  }
  return draft as unknown as Config;
}

function withTable(
  tables: unknown,
  assignment: Assignment,
  { property, name }: NonNullable<Assignment["table"]>,
): ReadonlyMap<string, unknown> {
  const section: AnySection = sections[assignment.section];
  const named = section.tables[property];
  const result = new Map(tables instanceof Map ? tables : []);
  const before: unknown = result.get(name) ?? (named === undefined ? {} : namedTableDefaults(named, name));
  const values = before as Readonly<Record<string, unknown>>;
  result.set(name, assignment.property === undefined ? values : { ...values, [assignment.property]: assignment.value });
  return result;
}
