import type { SandboxDrivers } from "./sandbox-drivers.ts";
import type { Sandbox } from "./sandbox.ts";

type OwnCgroupDrivers = Pick<SandboxDrivers, "logger"> & { cgroups: Pick<SandboxDrivers["cgroups"], "makePodGroup"> };

/**
 * Makes the group by which cAdvisor notices a pod without a pause process. Not before the pod is ready and berth serves: who notices the group asks
 * for the pod at once. A pod is no worse for want of it. Idempotent; ending the pod undoes it.
 */
export async function makeOwnGroup(drivers: OwnCgroupDrivers, sandbox: Sandbox): Promise<void> {
  if (sandbox.infra !== undefined || sandbox.cgroupParent === "") return;
  await drivers.cgroups.makePodGroup(sandbox.cgroupParent, sandbox.id).catch((error: unknown) =>
    drivers.logger.warn("a pod's own cgroup cannot be made: cAdvisor will not see the pod's network", {
      sandbox: sandbox.id,
      error,
    }),
  );
}
