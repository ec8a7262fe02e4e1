import { DomainError, messageOf } from "#errors/domain-error.ts";
import { exitCodeOf } from "#kernel/child-exits.ts";
import { run } from "#kernel/spawn.ts";
import type { RunResult } from "#kernel/spawn.ts";
import type { OciFeatures } from "#spec/oci-runtime.ts";
import { checkpoint } from "./checkpoint.ts";
import { startExec } from "./detached-exec.ts";
import { execToEnd } from "./exec-to-end.ts";
import { lastWords } from "./last-words.ts";
import type { OciRuntime, RuntimeState } from "./index.ts";

export interface RuntimeOptions {
  handler: string;
  path: string;
  root: string;
  /** The runtime moves containers by systemd's D-Bus instead of writing to cgroupfs itself. */
  systemdCgroup: boolean;
  env: Readonly<Record<string, string>>;
}

/** Longest time for commands that should take milliseconds; a hung runtime must not hang its callers for ever. */
const commandTimeoutMs = 120_000;

/** An OCI runtime by the command line that runc, crun and runsc share. */
export function commandLineRuntime(options: RuntimeOptions): OciRuntime {
  const globalArgs = [`--root=${options.root}`, ...(options.systemdCgroup ? ["--systemd-cgroup"] : [])];
  let features: Promise<OciFeatures | undefined> | undefined;
  let canCheckpoint: Promise<boolean> | undefined;

  async function call(args: readonly string[], input = ""): Promise<RunResult> {
    const argv = [options.path, ...globalArgs, ...args];
    try {
      return await run(argv, { env: options.env, input, timeoutMs: commandTimeoutMs });
    } catch (error) {
      throw new DomainError(
        "internal",
        `OCI runtime ${options.path} of handler ${options.handler} cannot be started: ${messageOf(error)}`,
        {
          cause: error,
          facts: { argv },
        },
      );
    }
  }

  async function must(id: string, args: readonly string[], input = ""): Promise<RunResult> {
    const result = await call(args, input);
    if (result.exitCode === 0) return result;
    throw runtimeError(options, id, args, result);
  }

  return {
    handler: options.handler,
    path: options.path,
    root: options.root,
    globalArgs,

    async start(id) {
      await must(id, ["start", id]);
    },

    async delete(id, { force = false } = {}) {
      const args = ["delete", ...(force ? ["--force"] : []), id];
      const result = await call(args);
      if (result.exitCode !== 0 && !isUnknownContainer(result)) throw runtimeError(options, id, args, result);
    },

    async kill(id, signal, { all = false } = {}) {
      await must(id, ["kill", ...(all ? ["--all"] : []), id, signal]);
    },

    async state(id) {
      const result = await call(["state", id]);
      if (result.exitCode !== 0) {
        if (isUnknownContainer(result)) return undefined;
        throw runtimeError(options, id, ["state", id], result);
      }
      return parseState(result.stdout);
    },

    async update(id, resources) {
      await must(id, ["update", "--resources", "-", id], JSON.stringify(resources));
    },

    async exec(id, process, execOptions) {
      return execToEnd(options, globalArgs, id, process, execOptions);
    },

    async startExec(id, process, stdio) {
      return startExec(options, globalArgs, id, process, stdio);
    },

    async pause(id) {
      await must(id, ["pause", id]);
    },

    async resume(id) {
      await must(id, ["resume", id]);
    },

    canCheckpoint() {
      canCheckpoint ??= call(["checkpoint", "--help"]).then((result) => result.exitCode === 0);
      return canCheckpoint;
    },

    async checkpoint(id, checkpointOptions) {
      await checkpoint(options, globalArgs, id, checkpointOptions);
    },

    features() {
      features ??= call(["features"]).then((result) =>
        result.exitCode === 0 ? (JSON.parse(result.stdout.toString()) as OciFeatures) : undefined,
      );
      return features;
    },
  };
}

function parseState(stdout: Buffer): RuntimeState {
  const { status, pid } = JSON.parse(stdout.toString()) as { status: RuntimeState["status"]; pid?: number };
  return { status, pid: pid ?? 0 };
}

/** runc says "container does not exist", crun "No such file or directory" about the status file, runsc "file does not exist". */
function isUnknownContainer(result: RunResult): boolean {
  return /does not exist|No such file or directory|not found/i.test(result.stderr.toString());
}

function runtimeError(options: RuntimeOptions, id: string, args: readonly string[], result: RunResult): DomainError {
  const words = lastWords(result.stderr.toString());
  const how = result.timedOut ? `did not end within ${commandTimeoutMs / 1000} s` : `exited with ${exitCodeOf(result)}`;
  return new DomainError(
    isUnknownContainer(result) ? "not-found" : "internal",
    `container ${id}: ${options.path} ${args[0] ?? ""} ${how}: ${words}`,
    { facts: { argv: [options.path, ...args], exitCode: exitCodeOf(result), stderr: words } },
  );
}
