// Runs a daemon, and adopts what its children leave behind, as systemd would: `reaper.ts LOG CGROUP-FILE PROGRAM [ARGUMENT...]`.
// In containers and small virtual machines process 1 reaps orphans late, and daemons that wait for an orphan to be gone would
// be measured with that. Each line `start` on standard input starts the program, which is answered with `started PID`, and its
// end with `ended CODE`. The end of the input ends the program.
import { closeSync, openSync } from "node:fs";
import { createInterface } from "node:readline";
import { adoptOrphans, exitCodeOf } from "#kernel/child-exits.ts";
import { spawn, type ChildProcess } from "#kernel/spawn.ts";

const [logFile = "", cgroupFile = "", ...argv] = process.argv.slice(2);
const env: Record<string, string> = {};
for (const [name, value] of Object.entries(process.env)) if (value !== undefined) env[name] = value;
// The program is in its cgroup before its first instruction, so that all it costs is counted.
const inCgroup = ["/bin/sh", "-c", 'echo $$ >"$0" && exec "$@"', cgroupFile, ...argv];

adoptOrphans();
let program: ChildProcess | undefined;

async function start(): Promise<void> {
  const log = openSync(logFile, "a");
  program = await spawn(inCgroup, { env, newSession: true, fds: { 1: log, 2: log } });
  closeSync(log);
  process.stdout.write(`started ${program.pid}\n`);
  void program.exited.then((status) => process.stdout.write(`ended ${exitCodeOf(status)}\n`));
}

const commands = createInterface(process.stdin);
commands.on("line", () => void start());
commands.on("close", () => {
  program?.kill("SIGKILL");
  process.exit();
});
// Signals may reach the whole process group; the benchmark decides when this ends.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
