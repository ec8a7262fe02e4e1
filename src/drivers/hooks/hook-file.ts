import { DomainError, messageOf } from "#errors/domain-error.ts";
import { goRegularExpression } from "#lib/go-regular-expression.ts";
import { type OciHook, type OciHookStage, ociHookStages } from "#spec/oci-runtime.ts";
import type { HookSubject } from "./index.ts";

/** One file of a hooks directory, understood. */
export interface HookFile {
  hook: OciHook;
  stages: readonly OciHookStage[];
  fits(subject: HookSubject): boolean;
}

const knownStages: ReadonlySet<string> = new Set(ociHookStages);

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads a hook of version 1.0.0, or of version 0.1.0, in which files say nothing of their version.
 * @throws DomainError invalid-argument that says what is wrong
 */
export function parseHookFile(text: string): HookFile {
  const file = asObject(parseJson(text), "the file");
  const version = file["version"] ?? "0.1.0";
  if (version === "1.0.0") return parseCurrent(file);
  if (version === "0.1.0") return parseOld(file);
  throw invalid(`its version is ${JSON.stringify(version)}, not 1.0.0 or 0.1.0`);
}

/** Every condition that is there has to hold, and at least one has to be there. */
function parseCurrent(file: Json): HookFile {
  const hook = asObject(file["hook"], "hook");
  const when = asObject(file["when"], "when");
  const annotations = Object.entries(asObject(when["annotations"] ?? {}, "when.annotations")).map(
    ([key, value]) => [expression(key, "when.annotations"), expression(value, "when.annotations")] as const,
  );
  const commands = expressions(when["commands"], "when.commands");
  const conditions: HookFile["fits"][] = [];
  if (when["always"] !== undefined) conditions.push(() => when["always"] === true);
  if (when["hasBindMounts"] !== undefined)
    conditions.push((subject) => when["hasBindMounts"] === true && subject.hasBindMounts);
  for (const [key, value] of annotations)
    conditions.push((subject) => Object.entries(subject.annotations).some(([k, v]) => key.test(k) && value.test(v)));
  if (commands.length > 0) conditions.push((subject) => commands.some((command) => command.test(subject.command)));
  return {
    hook: parseHook(hook),
    stages: parseStages(file["stages"], "stages"),
    fits: (subject) => conditions.length > 0 && conditions.every((holds) => holds(subject)),
  };
}

/** Any condition is enough; the annotations are those of values. */
function parseOld(file: Json): HookFile {
  const path = file["hook"];
  const commands = expressions(either(file, "cmds", "cmd"), "cmds");
  const values = expressions(either(file, "annotations", "annotation"), "annotations");
  const own = strings(file["arguments"] ?? [], "arguments");
  return {
    hook: parseHook({ path, ...(own.length === 0 ? {} : { args: [String(path), ...own] }) }),
    stages: parseStages(either(file, "stages", "stage"), "stages"),
    fits: (subject) =>
      (file["hasbindmounts"] === true && subject.hasBindMounts) ||
      commands.some((command) => command.test(subject.command)) ||
      values.some((value) => Object.values(subject.annotations).some((one) => value.test(one))),
  };
}

function either(file: Json, name: string, otherName: string): unknown {
  if (file[name] !== undefined && file[otherName] !== undefined) throw invalid(`it has both ${name} and ${otherName}`);
  return file[name] ?? file[otherName];
}

function parseHook({ path, args, env, timeout }: Json): OciHook {
  if (typeof path !== "string" || !path.startsWith("/"))
    throw invalid(`its path ${JSON.stringify(path)} is not absolute`);
  if (timeout !== undefined && !(Number.isInteger(timeout) && Number(timeout) > 0))
    throw invalid(`its timeout ${JSON.stringify(timeout)} is not a number of seconds above 0`);
  return {
    path,
    ...(args === undefined ? {} : { args: strings(args, "hook.args") }),
    ...(env === undefined ? {} : { env: strings(env, "hook.env") }),
    ...(timeout === undefined ? {} : { timeout: Number(timeout) }),
  };
}

function parseStages(value: unknown, name: string): OciHookStage[] {
  const words = strings(value ?? [], name);
  const unknown = words.find((word) => !knownStages.has(word));
  if (unknown !== undefined) throw invalid(`it names the unknown stage ${JSON.stringify(unknown)}`);
  if (words.length === 0) throw invalid("it names no stages");
  return words as OciHookStage[];
}

function expressions(value: unknown, name: string): RegExp[] {
  return strings(value ?? [], name).map((pattern) => expression(pattern, name));
}

function expression(pattern: unknown, name: string): RegExp {
  if (typeof pattern !== "string") throw invalid(`${name} has a value that is no text`);
  try {
    return goRegularExpression(pattern);
  } catch (error) {
    throw invalid(`${name}: ${messageOf(error)}`);
  }
}

function strings(value: unknown, name: string): string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw invalid(`${name} is no list of texts`);
}

function asObject(value: unknown, name: string): Json {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
  throw invalid(`${name} is no object`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(messageOf(error));
  }
}

function invalid(reason: string): DomainError {
  return new DomainError("invalid-argument", reason);
}
