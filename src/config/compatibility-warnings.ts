import { type Assignment, type ConfigWarning, warningAt } from "./assignment.ts";
import type { Option } from "./option.ts";
import { sections } from "./options.ts";
import { namedTableDefaults } from "./default-config.ts";
import type { AnySection } from "./section.ts";

/** One warning per option that was set to something other than its default although that has no effect or is deprecated. */
export function compatibilityWarnings(assignments: readonly Assignment[]): ConfigWarning[] {
  const last = new Map(assignments.map((assignment) => [assignment.path, assignment]));
  return [...last.values()].flatMap((assignment) => {
    const found = optionOf(assignment);
    if (found === undefined) return [];
    const { option, defaultValue } = found;
    if (option.toToml(assignment.value) === option.toToml(defaultValue)) return [];
    if (option.status === "accepted") {
      const message = `${assignment.path} is accepted for compatibility with CRI-O but has no effect in berth`;
      return [warningAt(assignment.origin, assignment.path, message)];
    }
    if (option.deprecated === undefined) return [];
    return [warningAt(assignment.origin, assignment.path, `${assignment.path} is deprecated. ${option.deprecated}`)];
  });
}

function optionOf(assignment: Assignment): { option: Option<unknown>; defaultValue: unknown } | undefined {
  if (assignment.property === undefined) return undefined;
  const section: AnySection = sections[assignment.section];
  const named = assignment.table === undefined ? undefined : section.tables[assignment.table.property];
  const option = (named ?? section).fields[assignment.property];
  if (option === undefined) return undefined;
  const defaults = named === undefined ? undefined : namedTableDefaults(named, assignment.table?.name ?? "");
  return { option, defaultValue: defaults === undefined ? option.default : defaults[assignment.property] };
}
