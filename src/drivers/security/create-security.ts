import { writeFile } from "node:fs/promises";
import { DomainError, hasErrno } from "#errors/domain-error.ts";
import type { run as runProcess } from "#kernel/spawn.ts";
import type { Logger } from "#observability/logger.ts";
import { defaultApparmorProfile, isProfileLoaded } from "./apparmor.ts";
import { CdiFiles } from "./cdi.ts";
import { findDevices, listHostDevices } from "./host-devices.ts";
import { collectHostFacts, type SelinuxMode } from "./host-facts.ts";
import type { Security } from "./index.ts";
import { findMountSource, type MountSourceOptions } from "./mount-source.ts";
import { relabelTree } from "./relabel.ts";
import { readSeccompFile } from "./seccomp-file.ts";
import { RandomLevels } from "./selinux-levels.ts";

export interface SecurityOptions extends MountSourceOptions {
  selinux: SelinuxMode;
  /** `cdi_spec_dirs` as they are now, the later ones winning. */
  cdiSpecDirs: () => readonly string[];
}

/** Collects the host's facts and reads the CDI directories. Holds nothing that would have to be closed. */
export async function createSecurity(
  options: SecurityOptions,
  dependencies: { run: typeof runProcess; logger: Logger },
): Promise<Security> {
  const facts = await collectHostFacts({ selinux: options.selinux });
  const cdi = new CdiFiles(options.cdiSpecDirs, findDevices);
  await cdi.refresh();
  for (const { file, reason } of cdi.problems())
    dependencies.logger.warn("a CDI specification cannot be used", { file, reason });
  return {
    facts,
    cdi,
    selinux: new RandomLevels(),
    hostDevices: () => listHostDevices("/dev"),
    devicesAt: findDevices,
    mountSource: (request) => findMountSource(request, options),
    readSeccompProfile: (reference) => readSeccompFile(reference),
    isApparmorProfileLoaded: isProfileLoaded,
    defaultApparmorProfile: defaultApparmorProfile(facts, dependencies),
    async checkSelinuxLabel(label) {
      if (facts.selinux.enabled && label !== "") await checkLabel(label);
    },
    async relabel(root, label, { shared, signal }) {
      if (!facts.selinux.enabled || label === "") return;
      const target = shared ? withoutCategories(label) : label;
      await relabelTree({ root, label: target, attribute: "security.selinux" }, signal);
    },
  };
}

/** The kernel refuses to have this file written with a label that the policy does not allow. */
async function checkLabel(label: string): Promise<void> {
  try {
    await writeFile("/sys/fs/selinux/context", `${label}\0`);
  } catch (error) {
    if (!hasErrno(error, "EINVAL")) return;
    throw new DomainError("invalid-argument", `the SELinux policy of this node does not allow the label ${label}`, {
      cause: error,
    });
  }
}

/** `user:role:type:s0:c1,c2` without the categories, for what several pods use. */
function withoutCategories(label: string): string {
  return label.split(":").slice(0, 4).join(":");
}
