import { setTimeout as sleep } from "node:timers/promises";
import { DomainError, hasErrno, messageOf, type ErrorKind } from "#errors/domain-error.ts";
import type { RunOptions, RunResult } from "#kernel/spawn.ts";
import type { Logger } from "#observability/logger.ts";
import { parseJsonObject, type JsonObject } from "./json.ts";

/** Runs a program to its end; `#kernel/spawn.ts` has the real one. */
export type Run = (argv: readonly string[], options?: RunOptions) => Promise<RunResult>;

export type CniCommand = "ADD" | "DEL" | "CHECK" | "GC" | "STATUS" | "VERSION";

/** One execution of one plugin (CNI spec, section 2). */
export interface PluginCall {
  command: CniCommand;
  /** Absolute path of the program. */
  path: string;
  input: JsonObject;
  /** CNI_* variables without CNI_COMMAND. */
  variables: Record<string, string>;
  timeoutMs: number;
  /** Named in errors. */
  network: string;
  /** `namespace/name` of the pod, for errors; absent when the call is about no pod. */
  pod?: string;
}

// A plugin that is being installed cannot be executed (ETXTBSY) until its writer closes it.
const busyRetries = 5;
const busyDelayMs = 1000;
const stderrTailChars = 2000;

/**
 * Executes a plugin once and gives back what it printed as JSON; undefined when it printed none.
 * @throws DomainError unavailable when the plugin says so (codes 11, 50, 51), cannot be started or is too slow; internal for
 *   all other failures. The fact `cniCode` is the plugin's error code.
 */
export async function runPlugin(
  call: PluginCall,
  run: Run,
  environment: Readonly<Record<string, string>>,
  logger: Logger,
): Promise<JsonObject | undefined> {
  const env = { ...environment, ...call.variables, CNI_COMMAND: call.command };
  const options = { input: JSON.stringify(call.input), env, timeoutMs: Math.max(1, call.timeoutMs) };
  const startMs = performance.now();
  const result = await startPlugin(call, run, options);
  const output = parseJsonObject(result.stdout.toString("utf8"));
  if (result.exitCode !== 0 || result.timedOut) throw pluginFailure(call, result, output);
  const { command, path, network, pod } = call;
  const stderr = stderrTail(result);
  logger.debug("CNI plugin done", { command, path, network, pod, durationMs: performance.now() - startMs, stderr });
  return output;
}

async function startPlugin(call: PluginCall, run: Run, options: RunOptions): Promise<RunResult> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await run([call.path], options);
    } catch (error) {
      if (hasErrno(error, "ETXTBSY") && attempt < busyRetries) {
        await sleep(busyDelayMs);
        continue;
      }
      throw new DomainError("unavailable", `${describe(call)} could not be started: ${messageOf(error)}`, {
        cause: error,
        facts: { plugin: call.path, command: call.command, network: call.network, pod: call.pod },
      });
    }
  }
}

function pluginFailure(call: PluginCall, result: RunResult, output: JsonObject | undefined): DomainError {
  const code = typeof output?.["code"] === "number" ? output["code"] : undefined;
  const stderr = stderrTail(result);
  const parts = [ending(call, result, output, code)];
  const details = output?.["details"];
  if (typeof details === "string" && details !== "") parts.push(details);
  if (stderr !== "") parts.push(`stderr: ${stderr}`);
  return new DomainError(failureKind(result, output, code), `${describe(call)} failed: ${parts.join("; ")}`, {
    facts: {
      plugin: call.path,
      command: call.command,
      network: call.network,
      pod: call.pod,
      cniCode: code,
      exitCode: result.exitCode,
      signal: result.signal,
      stderr,
    },
  });
}

function stderrTail(result: RunResult): string {
  return result.stderr.toString("utf8").trim().slice(-stderrTailChars);
}

function ending(call: PluginCall, result: RunResult, output: JsonObject | undefined, code: number | undefined): string {
  if (result.timedOut) return `no answer within ${Math.round(call.timeoutMs / 1000)} s`;
  if (result.signal !== undefined) return `killed by ${result.signal}`;
  const message = output?.["msg"];
  if (typeof message === "string" && message !== "") return code === undefined ? message : `${message} (code ${code})`;
  if (code !== undefined) return `error code ${code}`;
  const text = result.stdout.toString("utf8").trim().slice(-stderrTailChars);
  return text === "" ? `exit code ${result.exitCode}` : `exit code ${result.exitCode}: ${text}`;
}

/** host-local has no code of its own for a range without a free address, only these words. */
const noAddressLeft = /no IP addresses available/i;

function failureKind(result: RunResult, output: JsonObject | undefined, code: number | undefined): ErrorKind {
  const message = output?.["msg"];
  if (typeof message === "string" && noAddressLeft.test(message)) return "resource-exhausted";
  const passes = code === 11 || code === 50 || code === 51;
  return passes || result.timedOut || result.signal !== undefined ? "unavailable" : "internal";
}

function describe(call: PluginCall): string {
  const plugin = call.path.slice(call.path.lastIndexOf("/") + 1);
  const about = call.pod === undefined ? "" : ` for pod ${call.pod}`;
  return `${call.command} of CNI plugin ${plugin} (network ${call.network})${about}`;
}
