import { nowNs } from "#lib/clock.ts";
import { settleAll } from "#lib/settle.ts";
import { releaseMadeCgroup } from "./made-cgroup.ts";
import { disconnectSandbox } from "./sandbox-network.ts";
import type { SandboxDrivers } from "./sandbox-drivers.ts";
import type { Sandbox } from "./sandbox.ts";

/**
 * Takes a sandbox whose containers have ended out of service: pause process, network, namespaces, /dev/shm. What fails leaves it
 * "stopping", and the next call tries again.
 */
export async function stopSandbox(drivers: SandboxDrivers, sandbox: Sandbox): Promise<Sandbox> {
  if (sandbox.state.kind === "stopped") return sandbox;
  const stopping = await drivers.store.transition(sandbox, { kind: "stopping" });
  await releaseRunning(drivers, stopping);
  return drivers.store.transition(withoutInfra(stopping), { kind: "stopped", stoppedAtNs: nowNs() });
}

/** Removes what is left of a stopped sandbox, its record last. */
export async function removeSandbox(drivers: SandboxDrivers, sandbox: Sandbox): Promise<void> {
  const removing = await drivers.store.transition(sandbox, { kind: "removing" });
  await releaseRest(drivers, removing);
}

/** Undoes whatever a sandbox may have, also one that was half-made or half-removed when the daemon died. */
export async function discardSandbox(drivers: SandboxDrivers, sandbox: Sandbox): Promise<void> {
  await releaseRunning(drivers, sandbox);
  await releaseRest(drivers, sandbox);
}

/** What needs no network goes while plugins take that away, which is most of the time of a pod's end. */
async function releaseRunning(drivers: SandboxDrivers, sandbox: Sandbox): Promise<void> {
  await drivers.infra.remove(sandbox);
  await settleAll([
    disconnectSandbox(drivers, sandbox).then(() => drivers.namespaces.unpin(sandbox.id, ["net"])),
    drivers.namespaces.unpin(sandbox.id, ["ipc", "uts", "user"]),
    drivers.files.unmount(sandbox.id),
    sandbox.cgroupParent === "" ? undefined : drivers.cgroups.removePodGroup(sandbox.cgroupParent, sandbox.id),
  ]);
}

async function releaseRest(drivers: SandboxDrivers, sandbox: Sandbox): Promise<void> {
  await drivers.files.remove(sandbox.id);
  await releaseMadeCgroup(drivers, sandbox);
  await drivers.store.delete(sandbox.id);
  // Not before: who has to try again would release a level that is another pod's by then.
  if (sandbox.selinuxLevel !== "") drivers.selinuxLevels.release(sandbox.selinuxLevel);
}

function withoutInfra(sandbox: Sandbox): Sandbox {
  const { infra: _ended, ...rest } = sandbox;
  return rest;
}
