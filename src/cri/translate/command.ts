import { invalid } from "./required.ts";

/** The command of Exec and ExecSync, which names at least a program. */
export function commandFromWire(cmd: readonly string[]): readonly string[] {
  if (cmd.length === 0) throw invalid("cmd", "is missing");
  return cmd;
}
