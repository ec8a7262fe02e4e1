import { absolutePathOrEmpty, atLeast, each, emptyOr, environmentEntry, matches } from "../checks.ts";
import { boolean, choice, integer, list, size, text, textTable } from "../option.ts";
import type { NamedTables } from "../section.ts";

const mebibyte = 1024 ** 2;
const noFlag = { flags: [], environment: null } as const;

const handlerFields = {
  runtimePath: text("runtime_path", {
    default: "",
    ...noFlag,
    check: absolutePathOrEmpty,
    description: "OCI runtime. Empty: the program in PATH that has the handler's name.",
  }),
  runtimeType: choice("runtime_type", ["", "oci", "vm", "pod"], {
    default: "oci",
    ...noFlag,
    description:
      "`oci`, which an empty string stands for too, is the only type that berth runs; a handler of type `vm` or `pod` is dropped with a warning.",
  }),
  runtimeRoot: text("runtime_root", {
    default: "",
    ...noFlag,
    check: absolutePathOrEmpty,
    description:
      "Directory in which the OCI runtime keeps its state. Empty: a directory of the handler's own below runroot.",
  }),
  inheritDefaultRuntime: boolean("inherit_default_runtime", {
    default: false,
    ...noFlag,
    description: "Takes path, type, root and monitor settings of the default runtime.",
  }),
  runtimeConfigPath: text("runtime_config_path", {
    default: "",
    ...noFlag,
    check: absolutePathOrEmpty,
    status: "accepted",
    description: "Configuration of runtimes of type `vm`.",
  }),
  privilegedWithoutHostDevices: boolean("privileged_without_host_devices", {
    default: false,
    ...noFlag,
    description: "Keeps the devices of the host out of privileged containers.",
  }),
  allowedAnnotations: list("allowed_annotations", {
    default: [],
    ...noFlag,
    description: "Annotations that pods of this handler may use to change how they run. Others have no effect.",
  }),
  containerMinMemoryBytes: size("container_min_memory", {
    default: 12 * mebibyte,
    ...noFlag,
    description: "Least memory limit that this runtime can start a container with; a lower limit is refused.",
  }),
  monitorPath: text("monitor_path", {
    default: "",
    ...noFlag,
    check: absolutePathOrEmpty,
    description: "conmon. Empty: the program `conmon` in PATH.",
  }),
  monitorCgroup: text("monitor_cgroup", {
    default: "",
    ...noFlag,
    check: emptyOr(matches(/^(pod|.+\.slice)$/, '"pod" or the name of a slice')),
    description:
      "Where monitors are put: a slice, or `pod` for the cgroup of their pod. Empty: system.slice with systemd, else the pod's.",
  }),
  monitorEnv: list("monitor_env", {
    default: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    ...noFlag,
    check: each(environmentEntry),
    description: "Environment of monitors and OCI runtimes.",
  }),
  monitorExecCgroup: choice("monitor_exec_cgroup", ["", "container"], {
    default: "",
    ...noFlag,
    status: "accepted",
    description:
      "`container` puts the monitors of exec probes into the container's cgroup; berth runs them without monitors.",
  }),
  platformRuntimePaths: textTable("platform_runtime_paths", {
    default: new Map(),
    ...noFlag,
    description: 'OCI runtimes by platform of the container, e.g. `"linux/arm64" = "/usr/bin/crun-arm64"`.',
  }),
  runtimePullImage: boolean("runtime_pull_image", {
    default: false,
    ...noFlag,
    status: "accepted",
    description: "Lets a runtime of type `vm` pull images by itself.",
  }),
  noSyncLog: boolean("no_sync_log", {
    default: false,
    ...noFlag,
    description: "Leaves out the fsync of a container's log at its end and at rotation.",
  }),
  defaultAnnotations: textTable("default_annotations", {
    default: new Map(),
    ...noFlag,
    description: "Annotations that every container of this handler gets unless it has them.",
  }),
  streamWebsockets: boolean("stream_websockets", {
    default: false,
    ...noFlag,
    status: "accepted",
    description: "Streaming by conmon-rs.",
  }),
  execCpuAffinity: choice("exec_cpu_affinity", ["", "first"], {
    default: "",
    ...noFlag,
    status: "accepted",
    description: "`first` runs execs on the first CPU of the container's set.",
  }),
  seccompProfile: text("seccomp_profile", {
    default: "",
    ...noFlag,
    check: absolutePathOrEmpty,
    description: "Default seccomp profile of this handler. Empty: the one of [crio.runtime].",
  }),
  containerCreateTimeoutSeconds: integer("container_create_timeout", {
    default: 240,
    ...noFlag,
    check: atLeast(0),
    description: "Seconds that the runtime may take to create a container. Values below 30 count as 30.",
  }),
};

const compactParts = [
  "runtimePath",
  "runtimeRoot",
  "runtimeType",
  "privilegedWithoutHostDevices",
  "runtimeConfigPath",
  "containerMinMemoryBytes",
] as const satisfies readonly (keyof typeof handlerFields)[];

/** `[crio.runtime.runtimes.NAME]`: OCI runtimes by handler name. */
export const runtimes: NamedTables<typeof handlerFields> = {
  kind: "named-tables",
  key: "runtimes",
  description:
    "OCI runtimes by the name that a pod's RuntimeClass gives as its handler. A table adds to or changes the one of the same name in earlier files. A change counts for the pods that run as well: their containers are looked for in the new runtime_root.",
  reloadable: true,
  fields: handlerFields,
  default: new Map([
    [
      "crun",
      {
        allowedAnnotations: ["io.containers.trace-syscall", "devices.crio.io", "io.kubernetes.cri-o.Devices"],
        containerMinMemoryBytes: 500 * 1024,
      },
    ],
    ["runc", { allowedAnnotations: ["io.containers.trace-syscall", "devices.crio.io", "io.kubernetes.cri-o.Devices"] }],
  ]),
  flag: {
    name: "runtimes",
    environment: "CONTAINER_RUNTIMES",
    notation: "name:path[:root[:type[:privileged_without_host_devices[:config_path[:min_memory]]]]]",
    parse: parseCompactHandler,
  },
};

function parseCompactHandler(written: string): ReturnType<NonNullable<typeof runtimes.flag>["parse"]> {
  const [name, ...parts] = written.split(":");
  if (name === undefined || name === "" || parts.length === 0 || parts.length > compactParts.length) return undefined;
  const texts: Partial<Record<keyof typeof handlerFields, string>> = {};
  for (const [index, part] of parts.entries()) {
    const field = compactParts[index];
    if (field !== undefined && part !== "") texts[field] = part;
  }
  return { name, texts };
}
