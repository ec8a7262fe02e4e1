import { open } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno } from "#errors/domain-error.ts";

/** Where the kubelet keeps profiles; it sends absolute paths, other clients what lies below this. */
const kubeletSeccompRoot = "/var/lib/kubelet/seccomp";

const longestProfileBytes = 4 << 20;

/** What `Security.readSeccompProfile` promises. */
export async function readSeccompFile(localhostRef: string, root = kubeletSeccompRoot): Promise<string> {
  const reference = localhostRef.startsWith("localhost/") ? localhostRef.slice("localhost/".length) : localhostRef;
  if (reference === "")
    throw new DomainError("invalid-argument", "a localhost seccomp profile needs the name of its file");
  const file = path.resolve(root, reference);
  try {
    await using handle = await open(file, "r");
    const { size } = await handle.stat();
    if (size > longestProfileBytes)
      throw new DomainError(
        "invalid-argument",
        `the seccomp profile ${file} has ${size} bytes, more than any profile needs`,
      );
    return await handle.readFile("utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR"))
      throw new DomainError("not-found", `the seccomp profile ${file} does not exist on this node`, { cause: error });
    if (hasErrno(error, "EISDIR"))
      throw new DomainError("invalid-argument", `the seccomp profile ${file} is a directory`, { cause: error });
    throw error;
  }
}
