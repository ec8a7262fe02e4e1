import { DomainError, messageOf } from "#errors/domain-error.ts";
import { parsePlainYaml } from "#lib/plain-yaml.ts";

// The Container Device Interface's file format, cdi.md of the specification (0.3.0 to 1.0.0).

export interface CdiSpecFile {
  cdiVersion: string;
  /** `vendor.com/class`. */
  kind: string;
  devices: { name: string; containerEdits: CdiContainerEdits }[];
  /** For every device of the file. */
  containerEdits?: CdiContainerEdits;
}

export interface CdiContainerEdits {
  env?: string[];
  deviceNodes?: {
    path: string;
    hostPath?: string;
    type?: string;
    major?: number;
    minor?: number;
    fileMode?: number;
    permissions?: string;
    uid?: number;
    gid?: number;
  }[];
  hooks?: { hookName: string; path: string; args?: string[]; env?: string[]; timeout?: number }[];
  mounts?: { hostPath: string; containerPath: string; type?: string; options?: string[] }[];
  additionalGids?: number[];
  intelRdt?: { closID?: string };
}

const kindPattern = /^[A-Za-z][\w.-]*[A-Za-z0-9]\/[A-Za-z][\w.-]*$/;
const deviceNamePattern = /^[A-Za-z0-9][\w.:-]*$/;

/** `vendor.com/class=name`, split. @throws DomainError invalid-argument */
export function parseDeviceName(name: string): { kind: string; device: string } {
  const at = name.indexOf("=");
  const [kind, device] = [name.slice(0, Math.max(at, 0)), name.slice(at + 1)];
  if (!kindPattern.test(kind) || !deviceNamePattern.test(device))
    throw new DomainError(
      "invalid-argument",
      `${JSON.stringify(name)} is no CDI device name of the form vendor/class=name`,
    );
  return { kind, device };
}

/** YAML in the plain form that vendors' programs write. @throws DomainError invalid-argument that says what is wrong */
export function parseCdiSpec(text: string, format: "json" | "yaml"): CdiSpecFile {
  const parsed = format === "json" ? parseJson(text) : parsePlainYaml(text);
  const problem = specProblem(parsed);
  if (problem !== undefined) throw new DomainError("invalid-argument", problem);
  return parsed as CdiSpecFile;
}

function parseJson(text: string): unknown {
  try {
    const parsed: unknown = JSON.parse(text);
    return parsed;
  } catch (error) {
    throw new DomainError("invalid-argument", messageOf(error), { cause: error });
  }
}

function specProblem(parsed: unknown): string | undefined {
  if (!isRecord(parsed)) return "it is no object";
  if (typeof parsed["cdiVersion"] !== "string") return "cdiVersion is missing";
  if (typeof parsed["kind"] !== "string" || !kindPattern.test(parsed["kind"]))
    return "kind is not of the form vendor/class";
  const { devices, containerEdits } = parsed;
  if (!Array.isArray(devices)) return "devices is missing";
  for (const device of devices) {
    if (!isRecord(device) || typeof device["name"] !== "string" || !deviceNamePattern.test(device["name"]))
      return "a device has no usable name";
    const problem = editsProblem(device["containerEdits"]);
    if (problem !== undefined) return `device ${device["name"]}: ${problem}`;
  }
  return containerEdits === undefined ? undefined : editsProblem(containerEdits);
}

/** What each list's objects must have, as text. */
const requiredFields: Readonly<Record<string, readonly string[]>> = {
  deviceNodes: ["path"],
  hooks: ["hookName", "path"],
  mounts: ["hostPath", "containerPath"],
};

function editsProblem(edits: unknown): string | undefined {
  if (!isRecord(edits)) return "containerEdits is no object";
  for (const [list, fields] of Object.entries(requiredFields)) {
    const items = edits[list] ?? [];
    if (!Array.isArray(items)) return `${list} is no list`;
    for (const item of items)
      for (const field of fields)
        if (!isRecord(item) || typeof item[field] !== "string" || item[field] === "")
          return `an entry of ${list} has no ${field}`;
  }
  const env = edits["env"] ?? [];
  if (!Array.isArray(env) || !env.every((entry) => typeof entry === "string" && entry.indexOf("=") > 0))
    return "env has an entry that is not NAME=value";
  return undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
