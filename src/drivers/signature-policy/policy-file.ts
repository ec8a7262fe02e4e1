import { readFile } from "node:fs/promises";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { isObject } from "./json-object.ts";
import { parseRequirement, type Requirement } from "./requirement.ts";

/** What a policy says about images of registries. */
export interface Policy {
  /** For messages. */
  file: string;
  default: readonly Requirement[];
  /** The "docker" transport by scope; "" stands for the transport as a whole. */
  docker: ReadonlyMap<string, readonly Requirement[]>;
}

/** Undefined when the file does not exist. @throws DomainError failed-precondition naming the file and what is wrong in it */
export async function readPolicy(file: string): Promise<Policy | undefined> {
  try {
    return parsePolicy(file, await readFile(file, "utf8"));
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw new DomainError("failed-precondition", `the signature policy ${file} cannot be used: ${messageOf(error)}`, {
      facts: { file },
      cause: error,
    });
  }
}

/** Unknown fields are errors: one that is misspelt must not make a policy weaker. @throws Error */
export function parsePolicy(file: string, text: string): Policy {
  const document: unknown = JSON.parse(text);
  if (!isObject(document)) throw new Error("it is no JSON object");
  const unknown = Object.keys(document).find((key) => key !== "default" && key !== "transports");
  if (unknown !== undefined) throw new Error(`it has the unknown field ${JSON.stringify(unknown)}`);
  if (document["default"] === undefined) throw new Error('it has no "default"');
  const docker = new Map<string, Requirement[]>();
  for (const [transport, scopes] of Object.entries(objectOf(document["transports"] ?? {}, "transports"))) {
    for (const [scope, value] of Object.entries(objectOf(scopes, `transports.${transport}`))) {
      const requirements = parseRequirements(value, `transports.${transport}[${JSON.stringify(scope)}]`);
      if (transport === "docker") docker.set(scope, requirements);
    }
  }
  return { file, default: parseRequirements(document["default"], "default"), docker };
}

function parseRequirements(value: unknown, where: string): Requirement[] {
  if (!Array.isArray(value) || value.length === 0) throw new Error(`${where} is not a list with something in it`);
  return value.map((one, index) => parseRequirement(one, `${where}[${index}]`));
}

function objectOf(value: unknown, where: string): Record<string, unknown> {
  if (isObject(value)) return value;
  throw new Error(`${where} is no object`);
}
