import { isDigest } from "./digest.ts";
import { parseObject, requireObject } from "./json-object.ts";
import type { Digest, ImageConfig } from "./oci-image.ts";

type ProcessConfig = NonNullable<ImageConfig["config"]>;

/**
 * Parses the configuration of an image. Fields of the wrong type are refused, so that nobody behind has to distrust them; unknown ones are
 * left out.
 * @throws Error
 */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const document = parseObject(bytes);
  const rootfs = requireObject(document["rootfs"], "rootfs");
  const config: ImageConfig = { rootfs: { type: "layers", diff_ids: readDiffIds(rootfs["diff_ids"] ?? []) } };
  for (const name of ["created", "author", "architecture", "os", "variant"] as const) {
    const value = readString(document[name], name);
    if (value !== undefined) config[name] = value;
  }
  if (document["config"]) config.config = readProcess(requireObject(document["config"], "config"));
  if (Array.isArray(document["history"])) config.history = document["history"].map(readHistory);
  return config;
}

/** Null means the same as absent: Go writes it for what is empty. */
function readProcess(fields: Record<string, unknown>): ProcessConfig {
  const config: ProcessConfig = {};
  for (const name of ["User", "WorkingDir", "StopSignal"] as const) {
    const value = readString(fields[name], `config.${name}`);
    if (value !== undefined) config[name] = value;
  }
  for (const name of ["Env", "Entrypoint", "Cmd"] as const) {
    const value = readStrings(fields[name], `config.${name}`);
    if (value !== undefined) config[name] = value;
  }
  for (const name of ["ExposedPorts", "Volumes"] as const)
    if (fields[name]) config[name] = requireObject(fields[name], `config.${name}`);
  if (fields["Labels"]) config.Labels = readLabels(requireObject(fields["Labels"], "config.Labels"));
  if (typeof fields["ArgsEscaped"] === "boolean") config.ArgsEscaped = fields["ArgsEscaped"];
  return config;
}

function readHistory(value: unknown): NonNullable<ImageConfig["history"]>[number] {
  const fields = requireObject(value, "history");
  const entry: NonNullable<ImageConfig["history"]>[number] = {};
  for (const name of ["created", "created_by", "author", "comment"] as const) {
    const text = readString(fields[name], `history.${name}`);
    if (text !== undefined) entry[name] = text;
  }
  if (fields["empty_layer"] === true) entry.empty_layer = true;
  return entry;
}

function readDiffIds(value: unknown): Digest[] {
  if (Array.isArray(value) && value.every(isDigest)) return value;
  throw new Error("rootfs.diff_ids is not a list of digests");
}

function readString(value: unknown, name: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  throw new Error(`${name} is not a string`);
}

/** Old builders wrote a single string where a list belongs. */
function readStrings(value: unknown, name: string): string[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return [value];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw new Error(`${name} is not a list of strings`);
}

function readLabels(fields: Record<string, unknown>): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [key, value] of Object.entries(fields)) labels[key] = readString(value, `config.Labels.${key}`) ?? "";
  return labels;
}
