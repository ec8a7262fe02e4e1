import { DomainError, messageOf } from "#errors/domain-error.ts";
import { checkpointPart } from "#spec/checkpoint.ts";
import type { CheckpointConfig } from "#spec/checkpoint.ts";
import type { OciProcess, OciSpec } from "#spec/oci-runtime.ts";

/** What a restore needs of a checkpoint's config.dump and spec.dump, checked. */
export interface ParsedCheckpoint {
  /** 64 hex of the image under the container's files; "" when it is not told. */
  imageId: string;
  /** A name of that image; "" when it is not told. */
  imageName: string;
  checkpointedAtNs: string;
  process: Pick<OciProcess, "args" | "env" | "cwd" | "user"> & { terminal: boolean };
  /** Where something is mounted, and whether it has to come from the host. */
  mounts: { destination: string; isBind: boolean }[];
  maskedPaths: string[];
  readonlyPaths: string[];
  annotations: Record<string, string>;
}

/**
 * Reads the documents of a checkpoint that may come from anywhere.
 * @throws DomainError invalid-argument naming `from` and what is wrong
 */
export function parseCheckpoint(from: string, configText: string, specText: string): ParsedCheckpoint {
  const config: Partial<CheckpointConfig> = parsed(from, checkpointPart.config, configText);
  const spec: Partial<OciSpec> = parsed(from, checkpointPart.spec, specText);
  const { process } = spec;
  if (process === undefined || !isTexts(process.args) || process.args.length === 0)
    throw broken(from, checkpointPart.spec, "it has no process");
  const mounts = list<{ destination?: unknown; type?: unknown }>(spec.mounts);
  const checkpointedMs = Date.parse(String(config.checkpointedTime));
  return {
    imageId: textOf(config.rootfsImageRef).replace(/^sha256:/, ""),
    imageName: textOf(config.rootfsImageName) || textOf(config.rootfsImage),
    checkpointedAtNs: Number.isNaN(checkpointedMs) ? "0" : String(BigInt(checkpointedMs) * 1_000_000n),
    process: {
      args: process.args,
      env: isTexts(process.env) ? process.env : [],
      cwd: textOf(process.cwd) || "/",
      user: userOf(process.user),
      terminal: process.terminal === true,
    },
    mounts: mounts.map(({ destination, type }) => ({ destination: textOf(destination), isBind: type === "bind" })),
    maskedPaths: list<unknown>(spec.linux?.maskedPaths).map(textOf),
    readonlyPaths: list<unknown>(spec.linux?.readonlyPaths).map(textOf),
    annotations: textsIn(spec.annotations),
  };
}

function parsed(from: string, part: string, text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw broken(from, part, messageOf(error));
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw broken(from, part, "it is no object");
  return value;
}

function broken(from: string, part: string, why: string): DomainError {
  return new DomainError("invalid-argument", `checkpoint ${from}: its ${part} cannot be used: ${why}`);
}

function userOf(user: Partial<OciProcess["user"]> | undefined): OciProcess["user"] {
  const id = (value: unknown): number => (Number.isSafeInteger(value) ? Number(value) : 0);
  return { uid: id(user?.uid), gid: id(user?.gid), additionalGids: list<unknown>(user?.additionalGids).map(id) };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function list<T>(value: readonly T[] | undefined): readonly T[] {
  return Array.isArray(value) ? value : [];
}

/** The pairs of an object whose values are texts. */
export function textsIn(value: unknown): Record<string, string> {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === "string"),
  );
}
