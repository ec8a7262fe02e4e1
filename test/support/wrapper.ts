import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

/**
 * A script that stands before a program and fails on demand: while the plan's file is there, calls whose arguments or
 * environment match fail with its message, before or after the program itself has run.
 */
export class Wrapper {
  readonly file: string;
  readonly #plan: string;
  readonly #calls: string;

  /** Writes the script `name` into `folder`, which must exist. */
  constructor(folder: string, name: string, program: string) {
    this.file = path.join(folder, name);
    this.#plan = path.join(folder, `.${name}.plan`);
    this.#calls = path.join(folder, `.${name}.calls`);
    writeFileSync(this.file, script(program, this.#plan, this.#calls));
    chmodSync(this.file, 0o755);
  }

  /**
   * Fails the next calls that match the shell pattern `matching` on `$CNI_COMMAND $*`.
   * `when`: instead of the program, after it has done its work, or by SIGKILL to itself.
   */
  fail(matching: string, when: "before" | "after" | "killed"): void {
    writeFileSync(this.#plan, `${when} ${matching}`);
  }

  succeed(): void {
    rmSync(this.#plan, { force: true });
  }

  /** `$CNI_COMMAND $*` of each call so far. */
  calls(): string[] {
    return existsSync(this.#calls) ? readFileSync(this.#calls, "utf8").split("\n").filter(Boolean) : [];
  }
}

function script(program: string, plan: string, calls: string): string {
  return `#!/bin/sh
call="$CNI_COMMAND $*"
printf '%s\\n' "$call" >>'${calls}'
if [ -r '${plan}' ]; then
  read -r when matching <'${plan}'
  case $call in
    $matching)
      if [ "$when" = after ]; then '${program}' "$@" >/dev/null 2>&1; fi
      if [ "$when" = killed ]; then kill -KILL $$; fi
      if [ -n "$CNI_COMMAND" ]; then
        printf '{"cniVersion":"1.0.0","code":11,"msg":"injected failure"}\\n'
      else
        echo 'injected failure' >&2
      fi
      exit 1
      ;;
  esac
fi
exec '${program}' "$@"
`;
}
