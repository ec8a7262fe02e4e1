import type { MonitoredCreate } from "./index.ts";

/** The container `c1` as its monitor is asked for it, for tests. */
export function exampleCreate(changes: Partial<MonitoredCreate> = {}): MonitoredCreate {
  return {
    id: "c1",
    name: "app",
    bundle: "/run/bundle",
    runtime: { handler: "runc", path: "/usr/bin/runc", globalArgs: ["--root=/run/runc"] },
    runtimeBy: [],
    logPath: "/var/log/app.log",
    terminal: false,
    stdin: false,
    stdinOnce: false,
    noPivot: false,
    placeMonitor: () => Promise.resolve(),
    timeoutMs: 1000,
    ...changes,
  };
}
