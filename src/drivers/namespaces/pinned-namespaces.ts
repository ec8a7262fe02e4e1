import { mkdir, readdir, rm, statfs } from "node:fs/promises";
import path from "node:path";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import type { KernelThread } from "#kernel/kernel-thread.ts";
import type { NamespacesRequest } from "#kernel/namespace-calls.ts";
import { holdUserNamespace } from "#kernel/user-namespace.ts";
import { unmountOffThread } from "#kernel/mount.ts";
import { sysctlPath } from "#kernel/sysctl-path.ts";
import { settleAll } from "#lib/settle.ts";
import type { NamespaceKind, Namespaces } from "./index.ts";

type NamespaceSettings = Parameters<Namespaces["pin"]>[2];

const allKinds: readonly NamespaceKind[] = ["net", "ipc", "uts", "user"];

/** Pins at `<directory>/<kind>ns/<sandbox id>`, where tools for CRI-O look for them. */
export function pinnedNamespaces(directory: string, thread: KernelThread): Namespaces {
  const directoryOf = (kind: NamespaceKind): string => path.join(directory, `${kind}ns`);
  const pinOf = (kind: NamespaceKind, id: string): string => path.join(directoryOf(kind), id);
  let made: Promise<unknown> | undefined;

  async function unpin(kind: NamespaceKind, id: string): Promise<void> {
    const pin = pinOf(kind, id);
    // The last reference may be a process that still ends: detach, and let the kernel free the rest.
    while (await unmountOffThread(pin, { lazy: true }));
    await rm(pin, { force: true });
  }

  return {
    async pin(sandboxId, wanted, settings) {
      made ??= Promise.all(allKinds.map((kind) => mkdir(directoryOf(kind), { recursive: true, mode: 0o755 }))).catch(
        (error: unknown) => {
          made = undefined;
          throw error;
        },
      );
      await made;
      const pins = wanted.map((kind) => ({ kind, path: pinOf(kind, sandboxId) }));
      try {
        await makeNamespaces(thread, pins, settings);
      } catch (error) {
        // Those that the sandbox had before are not ours to take away.
        await settleAll(wanted.map((kind) => unpin(kind, sandboxId)));
        throw pinError(sandboxId, wanted, settings.sysctls, error);
      }
      return Object.fromEntries(pins.map((pin) => [pin.kind, pin.path]));
    },

    async unpin(sandboxId, kinds = allKinds) {
      await settleAll(kinds.map((kind) => unpin(kind, sandboxId)));
    },

    async pinned() {
      const names = await Promise.all(allKinds.map((kind) => readdir(directoryOf(kind)).catch(() => [])));
      return [...new Set(names.flat())];
    },

    async isPinned(pin) {
      const nsfsMagic = 0x6e736673;
      try {
        return (await statfs(pin)).type === nsfsMagic;
      } catch (error) {
        if (hasErrno(error, "ENOENT")) return false;
        throw error;
      }
    },
  };
}

/** Makes them in this process's user namespace, or with one of their own when ids are mapped. */
async function makeNamespaces(
  thread: KernelThread,
  pins: NamespacesRequest["pins"],
  { sysctls, hostname, idMaps }: NamespaceSettings,
): Promise<void> {
  const kindsMade = pins.map((pin) => pin.kind);
  const request = {
    pins,
    sysctls,
    ...(hostname !== undefined && kindsMade.includes("uts") ? { hostname } : {}),
  };
  if (idMaps === undefined) return thread.makeNamespaces(request);
  await using holder = await holdUserNamespace(kindsMade, idMaps);
  await thread.makeNamespaces({ ...request, of: holder.pid });
}

function pinError(
  sandboxId: string,
  wanted: readonly string[],
  sysctls: Readonly<Record<string, string>>,
  error: unknown,
): DomainError {
  const about = messageOf(error);
  const sysctl = Object.keys(sysctls).find((name) => about.includes(`${sysctlPath(name)}:`));
  if (sysctl !== undefined) {
    return new DomainError(
      "invalid-argument",
      `sandbox ${sandboxId}: the kernel refuses sysctl ${sysctl}=${sysctls[sysctl]}: ${about}`,
      { cause: error },
    );
  }
  return new DomainError("internal", `sandbox ${sandboxId}: making ${wanted.join(", ")} namespaces failed: ${about}`, {
    cause: error,
  });
}
