import { refuseNul } from "./impossible-characters.ts";
import { invalid } from "./required.ts";

/** The command of Exec and ExecSync, which names at least a program. */
export function commandFromWire(cmd: readonly string[]): readonly string[] {
  if (cmd.length === 0) throw invalid("cmd", "is missing");
  refuseNul(cmd, "cmd");
  return cmd;
}
