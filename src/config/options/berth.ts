import { absolutePath, absolutePaths, atLeast, between, emptyOr, matches } from "../checks.ts";
import { duration, integer, list, size, text } from "../option.ts";
import { section } from "../section.ts";

const gibibyte = 1024 ** 3;

/** `[berth]`: options that CRI-O does not have. */
export const berth = section("berth", "Options of berth's own, which CRI-O does not have and ignores.", {
  maxParallelLayerDownloads: integer("max_parallel_layer_downloads", {
    default: 3,
    environment: "BERTH_MAX_PARALLEL_LAYER_DOWNLOADS",
    check: between(1, 64),
    description: "Layers that one pull downloads at the same time.",
  }),
  maxParallelUnpacks: integer("max_parallel_unpacks", {
    default: 2,
    environment: "BERTH_MAX_PARALLEL_UNPACKS",
    check: between(1, 64),
    description: "Workers that unpack layers. Each takes a CPU and some 30 MB of memory while it works.",
  }),
  pullRetries: integer("pull_retries", {
    default: 5,
    environment: "BERTH_PULL_RETRIES",
    check: between(0, 100),
    description: "How often a broken download of one layer is resumed before the pull fails.",
  }),
  registryTimeoutMs: duration("registry_timeout", {
    default: 30_000,
    environment: "BERTH_REGISTRY_TIMEOUT",
    check: atLeast(1),
    description:
      "How long a registry may take to answer, and how long a download may stand still before it is resumed.",
  }),
  maxUnpackedLayerBytes: size("max_unpacked_layer_bytes", {
    default: 64 * gibibyte,
    environment: "BERTH_MAX_UNPACKED_LAYER_BYTES",
    check: atLeast(1024 ** 2),
    description: "Refuses a layer that unpacks to more than this: protection against decompression bombs.",
  }),
  imagePlatform: text("image_platform", {
    default: "",
    environment: "BERTH_IMAGE_PLATFORM",
    check: emptyOr(matches(/^[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9.]+)?$/, '"os/architecture" or "os/architecture/variant"')),
    description: 'Platform to choose from multi-platform images, e.g. "linux/arm64/v8". Empty: that of the machine.',
  }),
  registriesConf: text("registries_conf", {
    default: "/etc/containers/registries.conf",
    check: absolutePath,
    description: "Registry configuration, containers-registries.conf(5). CRI-O has this as a flag only.",
  }),
  registriesConfDir: text("registries_conf_dir", {
    default: "/etc/containers/registries.conf.d",
    check: absolutePath,
    description: "Directory of additions to registries_conf. CRI-O has this as a flag only.",
  }),
  registryCertsDirs: list("registry_certs_dirs", {
    default: ["/etc/containers/certs.d", "/etc/docker/certs.d"],
    environment: "BERTH_REGISTRY_CERTS_DIRS",
    check: absolutePaths,
    description:
      "Directories of certificates by registry, containers-certs.d(5). The first that has the registry wins.",
  }),
  cniCacheDir: text("cni_cache_dir", {
    default: "",
    environment: "BERTH_CNI_CACHE_DIR",
    check: emptyOr(absolutePath),
    description: "Directory for the results of CNI plugins, from which addresses are freed later. Empty: below root.",
  }),
  standbyNetworks: integer("standby_networks", {
    default: 4,
    environment: "BERTH_STANDBY_NETWORKS",
    check: between(0, 16),
    description:
      "Network namespaces that are kept ready and connected ahead of the next pods, so that these need not wait for the CNI plugins. Each holds an address until a pod needs it. Only for networks whose plugins do not ask which pod they serve (bridge, ptp, macvlan, ipvlan and flannel with host-local), and for pods without host ports, bandwidth limits, network sysctls and user namespace; others are connected when they come, as with 0.",
  }),
  eventLoopNice: integer("event_loop_nice", {
    default: -20,
    environment: "BERTH_EVENT_LOOP_NICE",
    check: between(-20, 0),
    description:
      "Nice value of the threads that answer calls, so that they do so while runtimes, pulls and containers keep the node busy. They need little themselves. What berth starts, and the threads that unpack layers, keep that of the service. 0 leaves all as they are. Needs CAP_SYS_NICE.",
  }),
  shutdownTimeoutMs: duration("shutdown_timeout", {
    default: 10_000,
    environment: "BERTH_SHUTDOWN_TIMEOUT",
    check: between(100, 600_000),
    description:
      "How long the daemon may take to end after SIGTERM before it exits regardless; requests under way have four fifths of it. Containers run on.",
  }),
  eventHistory: integer("event_history", {
    default: 1000,
    environment: "BERTH_EVENT_HISTORY",
    check: between(0, 100_000),
    description: "Container events kept for subscribers that connect late or fall behind.",
  }),
});
