import { abilities } from "./abilities.ts";
import { checkpoint } from "./checkpoint.ts";
import { startExec } from "./detached-exec.ts";
import { execToEnd } from "./exec-to-end.ts";
import { isUnknownContainer, runtimeCalls, runtimeError } from "./runtime-calls.ts";
import { refusedLimits } from "./refused-limits.ts";
import { globalArgs } from "./runtime-options.ts";
import type { RuntimeOptions } from "./runtime-options.ts";
import { FifoStart, isRunc } from "./start-by-fifo.ts";
import type { OciRuntime, RuntimeState } from "./index.ts";

/** An OCI runtime by the command line that runc, crun and runsc share. */
export function commandLineRuntime(options: RuntimeOptions): OciRuntime {
  const { call, must } = runtimeCalls(options);
  const fifoStart = isRunc(options.path) ? new FifoStart(options.root) : undefined;

  return {
    handler: options.handler,
    path: options.path,
    root: options.root,
    globalArgs: globalArgs(options),

    ...abilities(call),

    async start(container) {
      if (await fifoStart?.start(container)) return;
      await must(container.id, ["start", container.id]);
    },

    async resumeStart(container) {
      await fifoStart?.resume(container);
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
      if (result.exitCode === 0) return parseState(result.stdout);
      if (isUnknownContainer(result)) return undefined;
      throw runtimeError(options, id, ["state", id], result);
    },

    async update(id, resources) {
      const args = ["update", "--resources", "-", id];
      const result = await call(args, JSON.stringify(resources));
      if (result.exitCode !== 0) throw runtimeError(options, id, args, result, refusedLimits);
    },

    async pause(id) {
      await must(id, ["pause", id]);
    },

    async resume(id) {
      await must(id, ["resume", id]);
    },

    exec: (id, process, execOptions) => execToEnd(options, id, process, execOptions),
    startExec: (id, process, stdio) => startExec(options, id, process, stdio),
    checkpoint: (id, checkpointOptions) => checkpoint(options, id, checkpointOptions),
  };
}

function parseState(stdout: Buffer): RuntimeState {
  const { status, pid } = JSON.parse(stdout.toString()) as { status: RuntimeState["status"]; pid?: number };
  return { status, pid: pid ?? 0 };
}
