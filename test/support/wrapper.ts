import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { cniPluginFolder, findProgram } from "./requirements.ts";

/**
 * What happens at a call: the program fails instead of running, or after it has done its work, or dies by a signal; or
 * the daemon dies, just before the program runs or just after.
 */
export type Trouble = "fail-before" | "fail-after" | "die" | "crash-before" | "crash-after";

/** A script that stands before a program and makes trouble at the calls it is told to. */
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
   * Makes trouble at the calls whose `$CNI_COMMAND $*` fits the shell pattern `matching`: at each of them until
   * `behave`, except that the daemon is killed only once.
   */
  plan(trouble: Trouble, matching: string, daemonPid = 0): void {
    // Renamed in, because the script may be reading it at this moment.
    writeFileSync(`${this.#plan}.new`, `${trouble} ${daemonPid} ${matching}\n`);
    renameSync(`${this.#plan}.new`, this.#plan);
  }

  behave(): void {
    rmSync(this.#plan, { force: true });
  }

  /** True once a crash that was planned has happened. */
  get crashed(): boolean {
    return !existsSync(this.#plan);
  }

  /** `$CNI_COMMAND $*` of each call so far. */
  calls(): string[] {
    return existsSync(this.#calls) ? readFileSync(this.#calls, "utf8").split("\n").filter(Boolean) : [];
  }
}

/** All programs that a daemon starts for a pod, each behind a wrapper. */
export interface WrappedPrograms {
  bridge: Wrapper;
  portmap: Wrapper;
  conmon: Wrapper;
  runc: Wrapper;
  pluginFolder: string;
  behave(): void;
  remove(): void;
}

/** Makes the wrappers in a folder of their own; `remove` takes it away. */
export function wrapPrograms(): WrappedPrograms {
  const folder = mkdtempSync(path.join(tmpdir(), "berth-wrap-"));
  const plugins = cniPluginFolder() ?? "/usr/lib/cni";
  const pluginFolder = path.join(folder, "cni");
  mkdirSync(pluginFolder);
  for (const plain of ["host-local", "loopback"])
    symlinkSync(path.join(plugins, plain), path.join(pluginFolder, plain));
  const bridge = new Wrapper(pluginFolder, "bridge", path.join(plugins, "bridge"));
  const portmap = new Wrapper(pluginFolder, "portmap", path.join(plugins, "portmap"));
  const conmon = new Wrapper(folder, "conmon", findProgram("conmon") ?? "conmon");
  const runc = new Wrapper(folder, "runc", findProgram("runc") ?? "runc");
  const behave = (): void => [bridge, portmap, conmon, runc].forEach((wrapper) => wrapper.behave());
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  return { bridge, portmap, conmon, runc, pluginFolder, behave, remove };
}

function script(program: string, plan: string, calls: string): string {
  return `#!/bin/sh
call="$CNI_COMMAND $*"
printf '%s\\n' "$call" >>'${calls}'
if read -r trouble daemon matching 2>/dev/null <'${plan}'; then
  case $call in
    $matching)
      case $trouble in
        die) kill -KILL $$ ;;
        fail-after) '${program}' "$@" >/dev/null 2>&1 ;;
        crash-before)
          rm -f '${plan}'
          kill -KILL "$daemon"
          exec '${program}' "$@"
          ;;
        crash-after)
          rm -f '${plan}'
          '${program}' "$@"
          status=$?
          kill -KILL "$daemon"
          exit $status
          ;;
      esac
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
