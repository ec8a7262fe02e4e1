/** How one runtime handler is called. */
export interface RuntimeOptions {
  handler: string;
  path: string;
  root: string;
  /** For files that exist while a command is started in a container; it is there. */
  execDirectory: string;
  /** The runtime moves containers by systemd's D-Bus instead of writing to cgroupfs itself. */
  systemdCgroup: boolean;
  env: Readonly<Record<string, string>>;
}

/** What goes between the program and each of its commands. */
export function globalArgs({ root, systemdCgroup }: RuntimeOptions): readonly string[] {
  return [`--root=${root}`, ...(systemdCgroup ? ["--systemd-cgroup"] : [])];
}

/** The whole command line of a command of the runtime, given with its arguments. */
export function commandLine(options: RuntimeOptions, ...command: readonly string[]): string[] {
  return [options.path, ...globalArgs(options), ...command];
}
