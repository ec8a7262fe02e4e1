import { readdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { setXattr } from "#kernel/file-metadata.ts";
import { mount, MountFlag, unmountOffThread } from "#kernel/mount.ts";
import type { SmallFiles } from "#kernel/small-files.ts";
import type { SandboxFileStore } from "./index.ts";

/** Sandbox files below `directory` and mounts below `shmDirectory`, one directory per sandbox id in each, made by `files`. */
export function sandboxDirectories(
  { directory, shmDirectory, hostResolvConf }: { directory: string; shmDirectory: string; hostResolvConf: string },
  files: SmallFiles,
): SandboxFileStore {
  const directoryOf = (id: string): string => path.join(directory, id);
  const shmOf = (id: string): string => path.join(shmDirectory, id);

  return {
    async create(sandboxId, content) {
      const own = directoryOf(sandboxId);
      const label = content.mountLabel;
      try {
        await files.makeDirectory(own, 0o711);
        const resolvText = content.resolvConf ?? (await readIfThere(hostResolvConf));
        const [resolvConf, hostname] = await Promise.all([
          writeLabelled(files, path.join(own, "resolv.conf"), resolvText, label),
          writeLabelled(files, path.join(own, "hostname"), `${content.hostname}\n`, label),
        ]);
        if (content.shmSizeBytes === undefined) return { resolvConf, hostname };
        const shm = shmOf(sandboxId);
        await files.makeDirectory(shm, 0o1777);
        mountShm(shm, content.shmSizeBytes, label);
        return { resolvConf, hostname, shm };
      } catch (error) {
        await this.remove(sandboxId);
        throw new DomainError(
          "internal",
          `sandbox ${sandboxId}: preparing its files in ${own} failed: ${messageOf(error)}`,
          { cause: error },
        );
      }
    },

    async writeHosts(sandboxId, content, mountLabel) {
      return writeLabelled(files, path.join(directoryOf(sandboxId), "hosts"), content, mountLabel);
    },

    async unmount(sandboxId) {
      while (await unmountOffThread(shmOf(sandboxId), { lazy: true }));
    },

    async remove(sandboxId) {
      await this.unmount(sandboxId);
      await rm(shmOf(sandboxId), { recursive: true, force: true });
      // The last one: by it a sandbox is found that was not removed to the end.
      await removeDirectory(directoryOf(sandboxId));
    },

    async ids() {
      return readdir(directory).catch(() => []);
    },
  };
}

async function removeDirectory(directory: string): Promise<void> {
  try {
    await rm(directory, { recursive: true, force: true });
  } catch (error) {
    if (!hasErrno(error, "EBUSY")) throw error;
    // Daemons of before `shmDirectory` have mounted it in here.
    await unmountOffThread(path.join(directory, "shm"), { lazy: true });
    await rm(directory, { recursive: true, force: true });
  }
}

/** Gives the path of the file. */
async function writeLabelled(files: SmallFiles, file: string, content: string, label: string): Promise<string> {
  await files.write(file, content, 0o644);
  if (label !== "") setXattr(file, "security.selinux", Buffer.from(`${label}\0`));
  return file;
}

function mountShm(directory: string, sizeBytes: number, label: string): void {
  const flags = MountFlag.noSuid | MountFlag.noDev | MountFlag.noExec;
  // A label's categories have a comma, which would end the option.
  const context = label === "" ? "" : `,context="${label}"`;
  mount("shm", directory, "tmpfs", flags, `mode=1777,size=${sizeBytes}${context}`);
}

async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return "";
    throw error;
  }
}
