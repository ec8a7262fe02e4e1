import { DomainError } from "#errors/domain-error.ts";
import type { ContainerDrivers } from "../container-drivers.ts";

/** First words of all refusals, by which CRI-O's users know them. */
const unavailable = "checkpoint/restore support not available";

/**
 * Sees to it that containers of a runtime handler can be checkpointed and restored on this node.
 * @throws DomainError failed-precondition naming what is missing
 */
export async function requireCriu(
  drivers: Pick<ContainerDrivers, "checkpoints" | "runtimes"> & {
    settings: Pick<ContainerDrivers["settings"], "criuEnabled" | "isSandboxed">;
  },
  handler: string,
): Promise<void> {
  const { settings, checkpoints, runtimes } = drivers;
  const refuse = (why: string): DomainError => new DomainError("failed-precondition", `${unavailable}: ${why}`);
  if (!settings.criuEnabled) throw refuse("it is switched off by enable_criu_support = false in [crio.runtime]");
  if (settings.isSandboxed(handler))
    throw refuse(`runtime handler "${handler}" runs its containers in a sandbox of its own, which criu does not see`);
  if (checkpoints.findCriu() === undefined) {
    throw refuse(
      "enable_criu_support = true in [crio.runtime] needs the program criu (Debian package criu) in the PATH of the runtimes",
    );
  }
  const runtime = runtimes.get(handler);
  if (!(await runtime.canCheckpoint()))
    throw refuse(`the runtime ${runtime.path} of handler "${handler}" has no checkpoint command; runc has one`);
}
