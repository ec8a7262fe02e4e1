import type { CdiDeviceNode, CdiEdits } from "#drivers/security/index.ts";
import { DomainError } from "#errors/domain-error.ts";
import { type OciDevice, type OciHook, type OciHooks, ociHookStages, type OciSpec } from "#spec/oci-runtime.ts";
import { mergeHooks } from "./hooks.ts";

/** Device plugins of before the CRI had a field for it name devices in annotations with this prefix. */
const cdiAnnotationPrefix = "cdi.k8s.io/";

/** All CDI device names of a request, each once. */
export function cdiDeviceNames(request: {
  cdiDevices: readonly string[];
  annotations: Readonly<Record<string, string>>;
}): string[] {
  const annotated = Object.entries(request.annotations)
    .filter(([key]) => key.startsWith(cdiAnnotationPrefix))
    .flatMap(([, value]) => value.split(",").map((name) => name.trim()));
  return [...new Set([...request.cdiDevices, ...annotated])].filter((name) => name !== "");
}

/**
 * The spec with what CDI device names stand for. CDI wins over what is there: the device's maker knows what it needs.
 * @throws DomainError invalid-argument for a hook the OCI specification does not know
 */
export function applyCdiEdits(spec: OciSpec, edits: CdiEdits): OciSpec {
  const { process, linux } = spec;
  const added = new Set(edits.env.map(variableName));
  const gids = [...(process.user.additionalGids ?? []), ...edits.additionalGids];
  const targets = new Set(edits.mounts.map((mount) => mount.containerPath));
  const hooks = mergeHooks(spec.hooks, cdiHooks(edits));
  return {
    ...spec,
    process: {
      ...process,
      env: [...process.env.filter((entry) => !added.has(variableName(entry))), ...edits.env],
      user: { ...process.user, additionalGids: [...new Set(gids)] },
    },
    mounts: [
      ...spec.mounts.filter((mount) => !targets.has(mount.destination)),
      ...edits.mounts.map(({ hostPath, containerPath, type, options }) => ({
        destination: containerPath,
        source: hostPath,
        type: type || "bind",
        options,
      })),
    ],
    ...(hooks === undefined ? {} : { hooks }),
    linux: {
      ...linux,
      devices: withDevices(linux.devices ?? [], edits.devices),
      resources: {
        ...linux.resources,
        devices: [...(linux.resources?.devices ?? []), ...edits.devices.flatMap(deviceRule)],
      },
      ...(edits.intelRdtClosId === undefined ? {} : { intelRdt: { ...linux.intelRdt, closID: edits.intelRdtClosId } }),
    },
  };
}

function variableName(entry: string): string {
  return entry.split("=", 1)[0] ?? entry;
}

function withDevices(devices: readonly OciDevice[], nodes: readonly CdiDeviceNode[]): OciDevice[] {
  const byPath = new Map(devices.map((device) => [device.path, device]));
  for (const node of nodes) {
    const device: OciDevice = { path: node.path, type: node.type };
    if (node.major !== undefined) device.major = node.major;
    if (node.minor !== undefined) device.minor = node.minor;
    if (node.fileMode !== undefined) device.fileMode = node.fileMode;
    if (node.uid !== undefined) device.uid = node.uid;
    if (node.gid !== undefined) device.gid = node.gid;
    byPath.set(node.path, device);
  }
  return [...byPath.values()];
}

function deviceRule(node: CdiDeviceNode) {
  if (node.type === "p" || node.major === undefined || node.minor === undefined) return [];
  const type = node.type === "b" ? ("b" as const) : ("c" as const);
  return [{ allow: true, type, major: node.major, minor: node.minor, access: node.permissions || "rwm" }];
}

function cdiHooks(edits: CdiEdits): OciHooks | undefined {
  const hooks: OciHooks = {};
  for (const edit of edits.hooks) {
    const name = ociHookStages.find((one) => one === edit.hookName);
    if (name === undefined)
      throw new DomainError("invalid-argument", `a CDI device asks for the unknown hook ${edit.hookName}`);
    const hook: OciHook = { path: edit.path };
    if (edit.args.length > 0) hook.args = edit.args;
    if (edit.env.length > 0) hook.env = edit.env;
    if (edit.timeoutSeconds !== undefined) hook.timeout = edit.timeoutSeconds;
    hooks[name] = [...(hooks[name] ?? []), hook];
  }
  return edits.hooks.length === 0 ? undefined : hooks;
}
