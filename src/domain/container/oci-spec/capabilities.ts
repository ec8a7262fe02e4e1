import { DomainError } from "#errors/domain-error.ts";
import type { CapabilitiesRequest } from "#domain/container/request.ts";
import { allCapabilities } from "#spec/capabilities.ts";
import type { OciCapabilities } from "#spec/oci-runtime.ts";

export interface CapabilityInputs {
  request: CapabilitiesRequest;
  privileged: boolean;
  /** `default_capabilities` of the configuration. */
  defaults: readonly string[];
  /** `add_inheritable_capabilities`. */
  addInheritable: boolean;
  /** The daemon's own bounding set. */
  bounding: readonly string[];
}

export interface CapabilityResult {
  capabilities: OciCapabilities;
  /** Wanted, but not in the daemon's bounding set: a runtime that tried to give them would fail. */
  leftOut: string[];
}

/**
 * The capability sets. `ALL` is applied before single names, so `drop: [ALL], add: [CHOWN]` leaves one; a name both added and
 * dropped is dropped. Privileged containers have all, whatever else is asked. The inheritable set stays empty unless
 * configured: files with inheritable capabilities would give a non-root user what it should not have.
 * @throws DomainError invalid-argument for names that are no capability
 */
export function buildCapabilities(inputs: CapabilityInputs): CapabilityResult {
  const ambient = inputs.request.addAmbient.map((name) => capabilityName(name, "add to the ambient set"));
  const wanted = inputs.privileged ? new Set(allCapabilities) : wantedSet(inputs);
  for (const name of expandAll(ambient)) wanted.add(name);

  const given = new Set(inputs.bounding);
  const inOrder = allCapabilities.filter((name) => wanted.has(name));
  const kept = inOrder.filter((name) => given.has(name));
  const keptAmbient = expandAll(ambient).filter((name) => given.has(name));
  return {
    capabilities: {
      bounding: kept,
      effective: kept,
      permitted: kept,
      // A capability can only be ambient when it is inheritable.
      inheritable: inputs.addInheritable ? kept : keptAmbient,
      ambient: keptAmbient,
    },
    leftOut: inOrder.filter((name) => !given.has(name)),
  };
}

function wantedSet(inputs: CapabilityInputs): Set<string> {
  const add = inputs.request.add.map((name) => capabilityName(name, "add"));
  const drop = inputs.request.drop.map((name) => capabilityName(name, "drop"));
  const wanted = new Set(inputs.defaults.map((name) => capabilityName(name, "give by default")));
  if (add.includes("CAP_ALL")) for (const name of allCapabilities) wanted.add(name);
  if (drop.includes("CAP_ALL")) wanted.clear();
  for (const name of add) wanted.add(name);
  for (const name of drop) wanted.delete(name);
  wanted.delete("CAP_ALL");
  return wanted;
}

function expandAll(names: string[]): string[] {
  return names.includes("CAP_ALL") ? [...allCapabilities] : [...new Set(names)];
}

function capabilityName(name: string, purpose: string): string {
  const upper = name.toUpperCase();
  const full = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  if (full !== "CAP_ALL" && !allCapabilities.includes(full))
    throw new DomainError("invalid-argument", `unknown capability ${JSON.stringify(name)} to ${purpose}`);
  return full;
}

/** For the log. */
export function capabilityWarnings({ leftOut }: CapabilityResult): string[] {
  if (leftOut.length === 0) return [];
  return [`not given, because the daemon does not have them: ${leftOut.join(", ")}`];
}
