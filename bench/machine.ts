import os from "node:os";
import { execFileSync } from "node:child_process";
import { RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import type { Daemon } from "./daemons/daemon.ts";
import type { Parts } from "./daemons/crio-conf.ts";
import type { Machine } from "./report/run-report.ts";

/** What the figures of a run belong to. */
export async function describeMachine(daemons: readonly Daemon[], parts: Parts): Promise<Machine> {
  const versions: Record<string, string> = {
    runtime: firstLine(parts.runtime, "--version"),
    conmon: firstLine(parts.conmon, "--version"),
  };
  for (const daemon of daemons) {
    const { runtimeName, runtimeVersion } = await daemon.client.call(RuntimeService.method.version, {});
    versions[daemon.name] = `${runtimeName} ${runtimeVersion}`;
  }
  const [processor] = os.cpus();
  return {
    processors: os.cpus().length,
    model: processor?.model ?? "unknown",
    memoryMiB: Math.round(os.totalmem() / 1024 ** 2),
    kernel: os.release(),
    node: process.version,
    versions,
  };
}

function firstLine(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: "utf8" }).split("\n")[0] ?? "";
}
