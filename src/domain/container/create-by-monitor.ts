import type { LaunchedMonitor } from "#drivers/monitor/index.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import { settleAll } from "#lib/settle.ts";
import { encodeOci } from "#spec/oci-runtime-json.ts";
import type { ContainerDrivers } from "./container-drivers.ts";
import type { Container } from "./container.ts";
import { withState } from "./container.ts";
import { monitoredCreate } from "./monitored-create.ts";
import type { BuiltSpec } from "./oci-spec/build-container-spec.ts";

/**
 * Begins to create a container by a monitor, which starts beside all else that is prepared. Gives the function that lets it go on, once the root
 * file system is there. What either has made is undone by `undo`.
 */
export function createByMonitor(
  drivers: ContainerDrivers,
  sandbox: Sandbox,
  draft: Container,
  undo: AsyncDisposableStack,
): (built: BuiltSpec) => Promise<Container> {
  undo.defer(() => drivers.cgroups.removeMonitorGroup(sandbox.cgroupParent, draft.id));
  undo.defer(() => drivers.monitor.forget(draft.id));
  const view = drivers.mountViews.open(draft.runtimeHandler);
  undo.defer(() => view[Symbol.dispose]());
  const launching = launch(drivers, sandbox, draft, view.command);
  undo.defer(() => launching.then((monitor) => monitor[Symbol.asyncDispose](), toldElsewhere));
  launching.catch(toldElsewhere);

  return async ({ spec, user: { uid, gid, additionalGids } }) => {
    const runtime = drivers.runtimes.get(draft.runtimeHandler);
    using _ = view;
    await settleAll([drivers.bundles.create(draft.id, { "config.json": encodeOci(spec) }), view.narrow(spec)]);
    await using launched = await launching;
    undo.defer(() => runtime.delete(draft.id, { force: true }));
    const { container, monitor } = await launched.create();
    const user = { uid, gid, supplementalGroups: additionalGids };
    return { ...withState(draft, { kind: "created" }), process: container, monitor, user };
  };
}

async function launch(
  drivers: ContainerDrivers,
  sandbox: Sandbox,
  draft: Container,
  runtimeBy: readonly string[],
): Promise<LaunchedMonitor> {
  const bundle = await drivers.bundles.create(draft.id, {});
  // conmon opens it before it waits to be let go on.
  if (draft.logPath !== "") await drivers.logs.create(draft.logPath);
  return drivers.monitor.launch(monitoredCreate(drivers, sandbox, draft, bundle, runtimeBy));
}

/** Whoever lets the monitor go on gets the error; without that, another one is already under way. */
function toldElsewhere(): void {}
