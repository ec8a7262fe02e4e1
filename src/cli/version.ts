import { berthVersion } from "#lib/berth-version.ts";
import { parseFlags } from "./flag-parser.ts";

/** `berth version [-j] [-v]`: the version, as JSON with `-j`, with the versions of what berth is built of with `-v`. */
export function version(argv: readonly string[]): number {
  const { values } = parseFlags(argv, [
    { names: ["json"], short: "j", isBoolean: true },
    { names: ["verbose"], short: "v", isBoolean: true },
  ]);
  const facts = {
    version: berthVersion,
    nodeVersion: process.version,
    platform: `${process.platform}/${process.arch}`,
    ...(values.has("verbose") ? { dependencies: process.versions } : {}),
  };
  if (values.has("json")) {
    process.stdout.write(`${JSON.stringify(facts, undefined, 2)}\n`);
    return 0;
  }
  const { dependencies = {}, ...rest } = facts;
  const lines = [`berth version ${berthVersion}`];
  if (values.has("verbose")) {
    const rows = Object.entries({ ...rest, ...dependencies }).filter(([name]) => name !== "version");
    lines.push(...rows.map(([name, value]) => `${`${name}:`.padEnd(20)} ${value}`));
  }
  process.stdout.write(`${lines.join("\n")}\n`);
  return 0;
}
