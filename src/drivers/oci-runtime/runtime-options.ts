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
