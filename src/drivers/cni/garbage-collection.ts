import { DomainError, messageOf } from "#errors/domain-error.ts";
import type { CachedAttachment } from "./attachment-cache.ts";
import type { ResolvedNetwork } from "./configuration.ts";
import type { PluginPrograms } from "./plugin-programs.ts";
import { isAtLeast } from "./version.ts";

const gcTimeoutMs = 60_000;

/** An attachment as GC names it (CNI spec 1.1.0, section 2). */
export interface ValidAttachment {
  containerID: string;
  ifname: string;
}

/** True when GC may be run for a network: its version has it and the configuration does not forbid it. */
export function supportsGarbageCollection(network: ResolvedNetwork): boolean {
  return isAtLeast(network.cniVersion, "1.1.0") && !network.disableGC;
}

/**
 * Runs GC of every plugin, with all attachments that are to stay.
 * @throws DomainError internal with all failures, after every plugin was asked
 */
export async function collectGarbage(
  network: ResolvedNetwork,
  valid: readonly ValidAttachment[],
  programs: PluginPrograms,
): Promise<void> {
  const errors: unknown[] = [];
  for (const { type, fields } of network.plugins) {
    const input = {
      ...fields,
      name: network.name,
      cniVersion: network.cniVersion,
      "cni.dev/valid-attachments": valid,
      // Plugins built with the first release of the reference library for 1.1.0 look for this name.
      "cni.dev/attachments": valid,
    };
    const call = { command: "GC", type, input, variables: {}, timeoutMs: gcTimeoutMs, network: network.name } as const;
    await programs.call(call).catch((error: unknown) => errors.push(error));
  }
  throwAll(`garbage collection of CNI network ${network.name} failed`, errors);
}

/** Attachments that are to stay: those of the given containers, and those in the cache that are not stale. */
export function validAttachments(
  containerIds: Iterable<string>,
  ifName: string,
  kept: readonly CachedAttachment[],
): ValidAttachment[] {
  const byKey = new Map<string, ValidAttachment>();
  const add = (containerID: string, ifname: string): unknown =>
    byKey.set(`${containerID} ${ifname}`, { containerID, ifname });
  for (const containerId of containerIds) add(containerId, ifName);
  for (const entry of kept) add(entry.containerId, entry.ifName);
  return [...byKey.values()];
}

/** Throws one error that holds all of `errors`; nothing when there are none. */
export function throwAll(what: string, errors: readonly unknown[]): void {
  if (errors.length === 0) return;
  const cause = errors.length === 1 ? errors[0] : new AggregateError(errors);
  throw new DomainError("internal", `${what}: ${errors.map(messageOf).join("; ")}`, { cause });
}
