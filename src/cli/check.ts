import { type FlagValues, loadConfig } from "#config/index.ts";
import { checkDisk } from "#daemon/check.ts";
import { DomainError } from "#errors/domain-error.ts";
import { parseFlags } from "./flag-parser.ts";
import { configSources } from "./global-flags.ts";

/** CRI-O's options of repair, which a store that is swept at each start has no use for. */
const withoutMeaning = ["repair", "wipe", "force", "age"];

/**
 * `berth check [-q]`: verifies images, layers and records on disk, with or without a daemon running. A line for each problem;
 * exit status 1 when there is any. Directories that should be others are told on standard error.
 */
export async function check(global: FlagValues, argv: readonly string[]): Promise<number> {
  const { values, rest } = parseFlags(argv, [
    { names: ["quick"], short: "q", isBoolean: true },
    { names: ["repair"], short: "r", isBoolean: true },
    { names: ["wipe"], short: "w", isBoolean: true },
    { names: ["force"], short: "f", isBoolean: true },
    { names: ["age"], short: "a", isBoolean: false },
  ]);
  if (rest[0] !== undefined) throw new DomainError("invalid-argument", `unexpected ${JSON.stringify(rest[0])}`);
  for (const name of withoutMeaning.filter((one) => values.has(one)))
    process.stderr.write(
      `berth: warning: --${name} has no effect: damaged images are repaired by pulling them again\n`,
    );
  const { config } = await loadConfig(configSources(global, process.env));
  const { counts, problems, warnings } = await checkDisk(config, { quick: values.has("quick") });
  for (const warning of warnings) process.stderr.write(`berth: warning: ${warning}\n`);
  for (const problem of problems) process.stdout.write(`${problem}\n`);
  const summary = Object.entries(counts).map(([noun, count]) => `${count} ${noun}`);
  process.stdout.write(`${summary.join(", ")}: ${problems.length} problems\n`);
  return problems.length === 0 ? 0 : 1;
}
