import type { OciProcess } from "#spec/oci-runtime.ts";

/** A further process in a container: the container's own with other arguments and its own terminal or none. */
export function execProcess(container: OciProcess, exec: { args: readonly string[]; tty: boolean }): OciProcess {
  const hasTerm = container.env.some((entry) => entry.startsWith("TERM="));
  return {
    ...container,
    terminal: exec.tty,
    args: [...exec.args],
    env: exec.tty && !hasTerm ? [...container.env, "TERM=xterm"] : container.env,
  };
}
