import { absolutePathOrEmpty, atLeast, each, environmentEntry, sysctl, ulimit } from "../checks.ts";
import { boolean, integer, list, text } from "../option.ts";

const mappingsDeprecated = "Use user namespaces of pods.";

/** The options of `[crio.runtime]` about what is inside containers. */
export const containerFields = {
  defaultUlimits: list("default_ulimits", {
    default: [],
    check: each(ulimit),
    description: "Resource limits of all containers, each name=soft:hard. Empty: those of the daemon.",
  }),
  defaultEnv: list("default_env", {
    default: [],
    check: each(environmentEntry),
    description: "Environment variables that all containers get, each NAME=value.",
  }),
  minInjectedGomaxprocs: integer("min_injected_gomaxprocs", {
    default: 0,
    flags: ["inject-gomaxprocs", "min-injected-gomaxprocs"],
    check: atLeast(0),
    description:
      "Sets GOMAXPROCS in containers without a CPU limit to twice the CPUs that they ask for, at least to this; 0 does not. The annotation skip-gomaxprocs.crio.io leaves a pod alone.",
  }),
  defaultSysctls: list("default_sysctls", {
    default: [],
    check: each(sysctl),
    description:
      "Sysctls that all pods get, each key=value. Those of a namespace that the pod shares with the host are left out.",
  }),
  defaultMountsFile: text("default_mounts_file", {
    default: "",
    check: absolutePathOrEmpty,
    description:
      "File with lines SOURCE:DESTINATION of what all containers have mounted, containers-mounts.conf(5). Empty: /etc/containers/mounts.conf, then /usr/share/containers/mounts.conf.",
  }),
  pidsLimit: integer("pids_limit", {
    default: -1,
    check: atLeast(-1),
    deprecated: "Use the kubelet's podPidsLimit.",
    description: "Most processes of a container; -1 and 0 set no limit.",
  }),
  logSizeMaxBytes: integer("log_size_max", {
    default: -1,
    check: (value) => (value <= 0 || value >= 8192 ? undefined : `must be 8192 or more, or negative, found ${value}`),
    deprecated: "Use the kubelet's containerLogMaxSize.",
    description: "Largest size of a container's log before it is truncated; negative sets no limit.",
  }),
  logToJournald: boolean("log_to_journald", {
    default: false,
    flags: ["log-journald"],
    description: "Writes the logs of containers to systemd's journal too.",
  }),
  bindMountPrefix: text("bind_mount_prefix", {
    default: "",
    check: absolutePathOrEmpty,
    description:
      "Put before the source of every mount, for a daemon that itself runs in a container with the host's root mounted there.",
  }),
  readOnly: boolean("read_only", {
    default: false,
    description: "Runs unprivileged containers with a read-only root and a tmpfs at /run, /tmp and /var/tmp.",
  }),
  uidMappings: text("uid_mappings", {
    default: "",
    status: "accepted",
    deprecated: mappingsDeprecated,
    description: "User ids of a user namespace for all pods, CONTAINER:HOST:SIZE.",
  }),
  gidMappings: text("gid_mappings", {
    default: "",
    status: "accepted",
    deprecated: mappingsDeprecated,
    description: "Group ids of a user namespace for all pods, CONTAINER:HOST:SIZE.",
  }),
  minimumMappableUid: integer("minimum_mappable_uid", {
    default: -1,
    status: "accepted",
    deprecated: mappingsDeprecated,
    description: "Least host user id that may be mapped.",
  }),
  minimumMappableGid: integer("minimum_mappable_gid", {
    default: -1,
    status: "accepted",
    deprecated: mappingsDeprecated,
    description: "Least host group id that may be mapped.",
  }),
  absentMountSourcesToReject: list("absent_mount_sources_to_reject", {
    default: [],
    description: "Sources of mounts that must exist. Other missing sources are made as directories.",
  }),
  timezone: text("timezone", {
    default: "",
    flags: ["timezone", "tz"],
    environment: "CONTAINER_TIME_ZONE",
    check: (value) =>
      /^(?!.*\.\.)[A-Za-z0-9_+\-/]*$/.test(value) && !value.startsWith("/")
        ? undefined
        : 'must be "Local" or the name of a time zone such as "Europe/Berlin"',
    description:
      "Time zone of containers: `Local` for the host's, or a name such as Europe/Berlin. Empty: what the image has.",
  }),
};
