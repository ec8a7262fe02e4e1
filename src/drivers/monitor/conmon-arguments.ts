import path from "node:path";
import type { MonitoredCreate, MonitoredRestore } from "./index.ts";

/** conmon as one runtime handler has it. */
export interface ConmonProgram {
  /** Absolute. */
  path: string;
  env: Readonly<Record<string, string>>;
  noSyncLog: boolean;
}

export interface ConmonSettings {
  exitsDirectory: string;
  attachDirectory: string;
  /** Bytes; undefined for no limit. */
  logSizeMaxBytes: number | undefined;
  /** Writes logs to systemd's journal too. */
  logToJournald: boolean;
}

/**
 * The command line of conmon for a container. `supported` is what `conmon --help` says, which differs between distributions.
 *
 * Without conmon's own --systemd-cgroup: conmon puts that before all `--runtime-arg`s, where it would be for the program that calls the
 * runtime. It is one of the runtime's `globalArgs`.
 */
export function conmonArguments(
  program: ConmonProgram,
  settings: ConmonSettings,
  supported: string,
  request: MonitoredCreate,
): string[] {
  const flag = (condition: boolean, word: string): string[] => (condition ? [word] : []);
  const { path: runtimePath, globalArgs } = request.runtime;
  const [runtime, ...runtimeArguments] = [...request.runtimeBy, runtimePath, ...globalArgs];
  return [
    program.path,
    `--cid=${request.id}`,
    `--cuuid=${request.id}`,
    `--name=${request.name}`,
    `--bundle=${request.bundle}`,
    `--persist-dir=${request.bundle}`,
    `--container-pidfile=${path.join(request.bundle, "pidfile")}`,
    `--conmon-pidfile=${path.join(request.bundle, "conmon-pidfile")}`,
    `--exit-dir=${settings.exitsDirectory}`,
    `--socket-dir-path=${settings.attachDirectory}`,
    `--log-path=${request.logPath === "" ? "none:" : `k8s-file:${request.logPath}`}`,
    ...flag(settings.logToJournald && request.logPath !== "", "--log-path=journald:"),
    "--log-level=error",
    `--runtime=${runtime}`,
    ...runtimeArguments.map((argument) => `--runtime-arg=${argument}`),
    ...flag(settings.logSizeMaxBytes !== undefined, `--log-size-max=${settings.logSizeMaxBytes}`),
    ...flag(request.terminal, "--terminal"),
    ...flag(request.stdin, "--stdin"),
    ...flag(request.stdin && !request.stdinOnce, "--leave-stdin-open"),
    ...flag(request.noPivot, "--no-pivot"),
    ...(request.restore === undefined ? [] : restoreArguments(request.restore)),
    ...flag(program.noSyncLog && supported.includes("--no-sync-log"), "--no-sync-log"),
  ];
}

function restoreArguments({ images, processLabel, mountLabel }: MonitoredRestore): string[] {
  return [
    `--restore=${images}`,
    "--runtime-opt=--file-locks",
    ...(processLabel === "" ? [] : [`--runtime-opt=--lsm-profile=selinux:${processLabel}`]),
    ...(mountLabel === "" ? [] : [`--runtime-opt=--lsm-mount-context=${mountLabel}`]),
  ];
}
