import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { printJson, type Invocation } from "./subcommand.ts";
import { table } from "./table.ts";

/** The option of all subcommands that list something. */
export const quietOption = { kind: "flag", short: "q", help: "only ids, whole" } as const;

/** Prints a list as it was asked for: the CRI's answer as JSON, only the ids, or a table. */
export function printList<D extends DescMessage>(
  { arguments: given, json, stdout }: Pick<Invocation, "arguments" | "json" | "stdout">,
  [schema, answer]: readonly [D, MessageShape<D>],
  listed: readonly { id: string }[],
  titles: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  if (json) printJson(stdout, schema, answer);
  else if (given.flag("quiet")) stdout.write(listed.map(({ id }) => `${id}\n`).join(""));
  else stdout.write(table(titles, rows));
}
