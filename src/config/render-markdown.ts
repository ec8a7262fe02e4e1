import { namedTableDefaults } from "./default-config.ts";
import type { Option } from "./option.ts";
import { sectionList } from "./options.ts";
import type { Fields, NamedTables } from "./section.ts";

const introduction = `# Configuration

<!-- Written by scripts/generate-config-docs.ts from src/config/options/; change it there. -->

berth reads CRI-O's configuration as it is. What is set later wins:

1. the defaults below,
2. \`/etc/crio/crio.conf\` (\`--config\`; \`--config ""\` for none),
3. every file in \`/etc/crio/crio.conf.d\` and the directories in it, in lexical order (\`--config-dir\`; \`""\` for none),
4. environment variables that are not empty,
5. flags.

Tables that you name, \`[crio.runtime.runtimes.NAME]\` and \`[crio.runtime.workloads.NAME]\`, are merged option by option when
several files have the same name. A list replaces the list of an earlier file. A flag or variable for a list takes several
values separated by commas; a flag may also be given several times.

\`berth config\` prints the configuration that results, \`berth config --default\` the defaults. A value of the wrong type, or one
that cannot be right, stops the daemon at start with the file, line and column. A key that berth does not know is a
warning with the nearest key it knows.

SIGHUP reads everything again. Options marked *reload* then take effect at once; for others that changed, berth logs that
they need a restart. A configuration that does not load changes nothing.

Durations are written \`30s\`, \`1m30s\` or \`500ms\`; sizes \`12MiB\` or in bytes. Options marked *no effect* are accepted so that a
configuration of CRI-O's works unchanged; setting one to something other than its default is a warning.
`;

/** The reference of all options, docs/configuration.md. */
export function renderMarkdown(): string {
  const parts = [introduction];
  for (const [, section] of sectionList) {
    parts.push(`## [${section.table}]\n`, `${section.description}\n`);
    parts.push(...Object.values(section.fields).map((option) => describe(option, option.default)));
    for (const tables of Object.values(section.tables)) {
      parts.push(...describeTables(`${section.table}.${tables.key}`, tables));
    }
  }
  return parts.join("\n");
}

function describeTables(path: string, tables: NamedTables<Fields>): string[] {
  const reload = tables.reloadable ? " *Reload.*" : "";
  const flag =
    tables.flag === undefined ? "" : `\n\nFlag \`--${tables.flag.name}\`, several times: \`${tables.flag.notation}\`.`;
  return [
    `## [${path}.NAME]\n`,
    `${tables.description}${reload}${flag}\n`,
    ...builtIn(path, tables),
    ...Object.values(tables.fields).map((option) => describe(option, option.default)),
  ];
}

/** The tables that exist without being written down, and where they differ from the defaults of their options. */
function builtIn(path: string, tables: NamedTables<Fields>): string[] {
  if (tables.default.size === 0) return [];
  const lines = [...tables.default.keys()].flatMap((name) => {
    const values = namedTableDefaults(tables, name);
    const changes = Object.entries(tables.fields).flatMap(([property, option]) => {
      const written = option.toToml(values[property]);
      return written === option.toToml(option.default) ? [] : [`${option.key} = ${written}`];
    });
    return [`[${path}.${name}]`, ...changes];
  });
  return [`Built in:\n\n\`\`\`toml\n${lines.join("\n")}\n\`\`\`\n`];
}

function describe(option: Option<unknown>, defaultValue: unknown): string {
  const sources = [
    ...option.flags.map((flag) => `\`--${flag}\``),
    ...(option.shortFlag === undefined ? [] : [`\`-${option.shortFlag}\``]),
    ...(option.environment === undefined ? [] : [`\`${option.environment}\``]),
  ];
  const marks = [
    ...(option.reloadable ? ["*reload*"] : []),
    ...(option.status === "accepted" ? ["*no effect*"] : []),
    ...(option.deprecated === undefined ? [] : ["*deprecated*"]),
  ];
  const facts = [option.type, ...marks].join(", ");
  const choices = option.choices.map((word) => `\`${JSON.stringify(word)}\``).join(", ");
  const lines = [
    `### ${option.key}\n`,
    `${facts}. Default: \`${option.toToml(defaultValue).replaceAll(/\s+/g, " ")}\`\n`,
    `${option.description}${option.deprecated === undefined ? "" : ` ${option.deprecated}`}\n`,
    ...(choices === "" ? [] : [`One of ${choices}.\n`]),
    ...(sources.length === 0 ? [] : [`${sources.join(", ")}\n`]),
  ];
  return lines.join("\n");
}
