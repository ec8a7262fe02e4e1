import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { repositoryName } from "#spec/repository-name.ts";
import { parseReference } from "../names/reference.ts";
import type { NamespacedAuth } from "../index.ts";

/**
 * Credential files that a credential provider of the kubelet leaves in `directory` for one pull of one namespace (`namespaced_auth_dir`):
 * `<namespace>-<sha256 of registry/repository>.json`. One is moved to `in-use/` before it is read, so that it serves a single pull, and
 * removed afterwards.
 */
export function namespacedAuth(directory: string): NamespacedAuth {
  const inUse = path.join(directory, "in-use");
  return {
    async take(namespace, image) {
      const name = fileName(namespace, image);
      if (name === undefined) return undefined;
      const file = path.join(inUse, `${name}-${randomUUID()}.json`);
      if (!(await move(path.join(directory, `${name}.json`), file))) return undefined;
      return { file, [Symbol.asyncDispose]: () => rm(file, { force: true }) };
    },

    async sweep() {
      const names = await readdir(inUse).catch(() => []);
      await Promise.all(names.map((one) => rm(path.join(inUse, one), { force: true })));
    },
  };
}

/** Undefined where no file can be meant. Short names are docker.io's here, as the kubelet asks its providers about them. */
function fileName(namespace: string, image: string): string | undefined {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(namespace)) return undefined;
  try {
    const name = repositoryName(parseReference(image));
    return `${namespace}-${createHash("sha256").update(name).digest("hex")}`;
  } catch {
    // What is no reference is told so by whoever pulls it.
    return undefined;
  }
}

/** False when there is no such file; another pull may have taken it a moment ago. */
async function move(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw unusable(from, error);
  }
  // Either the file is missing, or so far only the directory that it is moved to.
  if (!(await exists(from))) return false;
  try {
    await mkdir(path.dirname(to), { recursive: true, mode: 0o700 });
    await rename(from, to);
    return true;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false;
    // Credentials that cannot be taken out of the way could serve a second pull.
    await rm(from, { force: true });
    throw unusable(from, error);
  }
}

async function exists(file: string): Promise<boolean> {
  const names: string[] = await readdir(path.dirname(file)).catch(() => []);
  return names.includes(path.basename(file));
}

function unusable(file: string, cause: unknown): DomainError {
  return new DomainError("failed-precondition", `the credential file ${file} cannot be used: ${messageOf(cause)}`, {
    facts: { file },
    cause,
  });
}
