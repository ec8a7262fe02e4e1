import {
  absolutePath,
  absolutePathOrEmpty,
  atLeast,
  cpuSet,
  each,
  emptyOr,
  environmentEntry,
  matches,
  regularExpression,
} from "../checks.ts";
import { boolean, choice, integer, list, text } from "../option.ts";

/** The options of `[crio.runtime]` about the daemon, its log, and the programs it starts. */
export const daemonFields = {
  defaultRuntime: text("default_runtime", {
    default: "crun",
    reloadable: true,
    check: matches(/^[^\s/]+$/, "the name of a runtime handler"),
    description:
      "Handler of pods that name none; one of the tables [crio.runtime.runtimes.NAME]. A pod keeps the one it was started with.",
  }),
  cgroupManager: choice("cgroup_manager", ["systemd", "cgroupfs"], {
    default: "systemd",
    description: "Who makes cgroups: systemd, or berth by itself. The kubelet asks and does the same.",
  }),
  logLevel: choice("log_level", ["trace", "debug", "info", "warn", "warning", "error", "fatal", "panic"], {
    default: "info",
    shortFlag: "l",
    reloadable: true,
    description: "Least severe messages that the daemon logs. `fatal` and `panic` are the same as `error`.",
  }),
  logFilter: text("log_filter", {
    default: "",
    reloadable: true,
    check: regularExpression,
    description: "Logs only messages that this regular expression matches.",
  }),
  decryptionKeysPath: text("decryption_keys_path", {
    default: "/etc/crio/keys/",
    check: absolutePath,
    status: "accepted",
    description: "Directory of keys for encrypted images.",
  }),
  additionalArtifactStores: list("additional_artifact_stores", {
    default: [],
    check: each(absolutePath),
    status: "accepted",
    description: "Read-only directories in which OCI artifacts are looked up first.",
  }),
  conmon: text("conmon", {
    default: "",
    check: absolutePathOrEmpty,
    deprecated: "Use monitor_path of the runtime handler.",
    description: "conmon of all handlers, in place of their monitor_path.",
  }),
  conmonCgroup: text("conmon_cgroup", {
    default: "",
    check: emptyOr(matches(/^(pod|.+\.slice)$/, '"pod" or the name of a slice')),
    deprecated: "Use monitor_cgroup of the runtime handler.",
    description: "Where the monitors of all handlers are put, in place of their monitor_cgroup.",
  }),
  conmonEnv: list("conmon_env", {
    default: [],
    check: each(environmentEntry),
    deprecated: "Use monitor_env of the runtime handler.",
    description: "Environment of the monitors of all handlers, in place of their monitor_env.",
  }),
  containerExitsDir: text("container_exits_dir", {
    default: "",
    environment: "CONTAINER_EXITS_DIR",
    check: absolutePathOrEmpty,
    description: "Directory in which conmon leaves exit codes. Empty: below runroot.",
  }),
  containerAttachSocketDir: text("container_attach_socket_dir", {
    default: "",
    environment: "CONTAINER_ATTACH_SOCKET_DIR",
    check: absolutePathOrEmpty,
    description: "Directory in which conmon makes its attach sockets. Empty: below runroot.",
  }),
  namespacesDir: text("namespaces_dir", {
    default: "",
    check: absolutePathOrEmpty,
    description: "Directory in which the namespaces of pods are pinned. Empty: below runroot.",
  }),
  pinnsPath: text("pinns_path", {
    default: "",
    status: "accepted",
    description: "CRI-O's helper for namespaces. berth makes namespaces by itself.",
  }),
  hooksDir: list("hooks_dir", {
    default: ["/usr/share/containers/oci/hooks.d"],
    check: each(absolutePath),
    description:
      "Directories of OCI hooks, oci-hooks(5). A file in a later directory replaces one of the same name. Missing directories are skipped; changes are seen at the next container.",
  }),
  ctrStopTimeoutSeconds: integer("ctr_stop_timeout", {
    default: 30,
    environment: "CONTAINER_STOP_TIMEOUT",
    check: atLeast(0),
    description:
      "Seconds that a container gets to end before it is killed, where a request does not say. Values below 30 count as 30.",
  }),
  dropInfraCtr: boolean("drop_infra_ctr", {
    default: true,
    description: "Runs an infra container only in pods that need one, those with a PID namespace of their own.",
  }),
  infraCtrCpuset: text("infra_ctr_cpuset", {
    default: "",
    check: cpuSet,
    description: "CPUs on which infra containers run.",
  }),
  sharedCpuset: text("shared_cpuset", {
    default: "",
    check: cpuSet,
    status: "accepted",
    description: "CPUs that guaranteed containers may ask to share.",
  }),
  irqbalanceConfigFile: text("irqbalance_config_file", {
    default: "/etc/sysconfig/irqbalance",
    status: "accepted",
    description: "Configuration of irqbalance, for annotations that keep interrupts off a container's CPUs.",
  }),
  irqbalanceConfigRestoreFile: text("irqbalance_config_restore_file", {
    default: "/etc/sysconfig/orig_irq_banned_cpus",
    status: "accepted",
    description: "File from which irqbalance's mask is restored at start; `disable` leaves it.",
  }),
  enableCriuSupport: boolean("enable_criu_support", {
    default: true,
    description: "Allows checkpoints and containers that are restored from them, which need criu in PATH.",
  }),
  enablePodEvents: boolean("enable_pod_events", {
    default: false,
    environment: "ENABLE_POD_EVENTS",
    status: "accepted",
    description: "Sends container events to the kubelet (evented PLEG). berth always serves them to who asks.",
  }),
  disableHostportMapping: boolean("disable_hostport_mapping", {
    default: false,
    environment: "DISABLE_HOSTPORT_MAPPING",
    description: "Leaves host ports to the CNI plugins.",
  }),
};
