import type { InfraRunner } from "#domain/sandbox/sandbox-drivers.ts";
import { handlerOf, type InfraProcess, type Sandbox } from "#domain/sandbox/sandbox.ts";
import type { ImageInUse } from "#domain/image/image.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import { providedMounts, sandboxFacts } from "./pod-inputs.ts";
import { rootView } from "./root-view.ts";
import type { OciSpec } from "#spec/oci-runtime.ts";
import { encodeOci } from "#spec/oci-runtime-json.ts";
import { buildSandboxSpec } from "./oci-spec/build-sandbox-spec.ts";

/**
 * Pause processes: pods whose PID namespace is shared have one, with `drop_infra_ctr = false` all. It is a container of the runtime under
 * the sandbox's id.
 */
export function infraRunner(drivers: ContainerDrivers): InfraRunner {
  const { settings, storage, bundles, monitor, runtimes, cgroups } = drivers;

  return {
    isNeeded(sandbox) {
      const { pid } = sandbox.request.linux.securityContext.namespaceOptions;
      return pid === "pod" || !settings.dropInfra;
    },

    async start(sandbox): Promise<InfraProcess> {
      const runtime = runtimes.get(handlerOf(sandbox));
      const { handler } = runtime;
      const image = await drivers.images.ensure(settings.pauseImage);
      const { mountPath } = await storage.createRootfs(
        sandbox.id,
        image.chainIds,
        rootView(drivers, sandbox, undefined),
      );
      const spec = await infraSpec(drivers, sandbox, { handler, image, rootfs: mountPath });
      const bundle = await bundles.create(sandbox.id, { "config.json": encodeOci(spec) });
      using view = drivers.mountViews.open(handler);
      await view.narrow(spec);
      const { container, monitor: watcher } = await monitor.create({
        id: sandbox.id,
        name: "POD",
        bundle,
        runtime,
        runtimeBy: view.command,
        logPath: "",
        terminal: false,
        stdin: false,
        stdinOnce: false,
        noPivot: settings.noPivot,
        placeMonitor: (pid) =>
          cgroups.placeMonitor({ parent: sandbox.cgroupParent, containerId: sandbox.id, handler }, pid),
        timeoutMs: settings.createTimeoutMs(handler),
      });
      await runtime.start({ id: sandbox.id, bundle, process: container });
      return { process: container, monitor: watcher, imageId: image.id };
    },

    async remove(sandbox) {
      // One that was started stays recorded, whatever the configuration says by now.
      if (sandbox.infra === undefined) {
        if (!this.isNeeded(sandbox)) return;
        // A monitor whose daemon died, or waits no longer, goes on, and would make the container after this.
        await monitor.halt(sandbox.id, bundles.path(sandbox.id));
      }
      await deleteProcess(drivers, sandbox);
      await storage.removeRootfs(sandbox.id);
      await cgroups.removeMonitorGroup(sandbox.cgroupParent, sandbox.id);
      await bundles.remove(sandbox.id);
      await monitor.forget(sandbox.id);
    },
  };
}

/** A handler that was taken out of the configuration must not make its pods stay for ever. */
async function deleteProcess({ runtimes, processes, logger }: ContainerDrivers, sandbox: Sandbox): Promise<void> {
  let runtime;
  try {
    runtime = runtimes.get(handlerOf(sandbox));
  } catch (error) {
    logger.warn("what the runtime has of a pause process stays", { sandbox: sandbox.id, error });
    if (sandbox.infra !== undefined) processes.signal(sandbox.infra.process, "SIGKILL");
    return;
  }
  await runtime.delete(sandbox.id, { force: true });
}

async function infraSpec(
  { settings, security }: ContainerDrivers,
  sandbox: Sandbox,
  { handler, image, rootfs }: { handler: string; image: ImageInUse; rootfs: string },
): Promise<OciSpec> {
  const { seccomp } = sandbox.request.linux.securityContext;
  const { spec } = buildSandboxSpec({
    host: security.facts,
    policy: await settings.specPolicy(handler),
    sandbox: sandboxFacts(sandbox),
    infra: {
      name: `k8s_POD_${sandbox.request.metadata.name}`,
      createdAt: new Date(Number(BigInt(sandbox.createdAtNs) / 1_000_000n)),
      command: settings.pauseCommand,
      imageConfig: image.config,
      rootfs: { path: rootfs, passwd: "", group: "" },
      provided: providedMounts(sandbox),
      cpuset: settings.infraCpuset,
      seccompText: seccomp.type === "localhost" ? await security.readSeccompProfile(seccomp.localhostRef) : undefined,
    },
  });
  return spec;
}
