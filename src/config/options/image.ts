import { absolutePath, absolutePathOrEmpty, emptyOr, matches } from "../checks.ts";
import { boolean, choice, duration, list, text } from "../option.ts";
import { section } from "../section.ts";

/** `[crio.image]`: pulling and keeping images. */
export const image = section("crio.image", "Pulling and keeping images.", {
  defaultTransport: text("default_transport", {
    default: "docker://",
    status: "accepted",
    description: "Prefix for image names that cannot be pulled as they are. berth pulls from registries only.",
  }),
  globalAuthFile: text("global_auth_file", {
    default: "",
    check: absolutePathOrEmpty,
    description:
      "File in the format of Docker's config.json with credentials for pulls that the kubelet sends none for.",
  }),
  namespacedAuthDir: text("namespaced_auth_dir", {
    default: "/etc/crio/auth",
    check: absolutePath,
    description:
      "Directory of credential files for one pull of one image by one namespace, `<namespace>-<sha256 of registry/repository>.json`. A file is used once and removed.",
  }),
  pauseImage: text("pause_image", {
    default: "registry.k8s.io/pause:3.10.1",
    reloadable: true,
    check: matches(/^[^\s]+$/, "an image reference"),
    description: "Image of the infra container of pods that need one. Always pinned.",
  }),
  pauseImageAuthFile: text("pause_image_auth_file", {
    default: "",
    reloadable: true,
    check: absolutePathOrEmpty,
    description: "File with the credentials for pulling the pause image.",
  }),
  pauseCommand: text("pause_command", {
    default: "/pause",
    reloadable: true,
    description: "Command that the infra container runs. Empty: what the image says.",
  }),
  pinnedImages: list("pinned_images", {
    default: [],
    reloadable: true,
    description:
      "Images that the kubelet must not remove to free space. A name, a name that starts with and ends in `*`, or one that ends in `*`; case does not matter.",
  }),
  signaturePolicy: text("signature_policy", {
    default: "",
    check: absolutePathOrEmpty,
    description: "Signature policy in the format of containers-policy.json(5). Empty: /etc/containers/policy.json.",
  }),
  signaturePolicyDir: text("signature_policy_dir", {
    default: "/etc/crio/policies",
    check: absolutePath,
    description:
      "Directory of signature policies by namespace, NAMESPACE.json. A pod's namespace without a file uses signature_policy.",
  }),
  imageVolumes: choice("image_volumes", ["mkdir", "bind", "ignore"], {
    default: "mkdir",
    description:
      "What becomes of the volumes that an image declares. `mkdir` makes the directory in the container's root, `bind` mounts a directory of the host's there, `ignore` does nothing.",
  }),
  insecureRegistries: list("insecure_registries", {
    default: [],
    flags: ["insecure-registry"],
    description: "Registries that may be spoken to without TLS or without a valid certificate. Prefer registries.conf.",
  }),
  bigFilesTemporaryDir: text("big_files_temporary_dir", {
    default: "",
    check: absolutePathOrEmpty,
    status: "accepted",
    description: "Directory for large temporary files of pulls. berth unpacks layers beside their place.",
  }),
  separatePullCgroup: text("separate_pull_cgroup", {
    default: "",
    environment: "PULL_IN_A_CGROUP",
    check: emptyOr(matches(/^(pod|.+\.slice)$/, '"pod" or the name of a slice')),
    status: "accepted",
    description: "Cgroup in which image pulls run: `pod`, or a slice.",
  }),
  autoReloadRegistries: boolean("auto_reload_registries", {
    default: false,
    environment: "AUTO_RELOAD_REGISTRIES",
    description: "Reads registries.conf.d again whenever it changes. SIGHUP does so too.",
  }),
  pullProgressTimeoutMs: duration("pull_progress_timeout", {
    default: 0,
    description:
      "Cancels a pull that made no progress for this long. 0: never, but a stalled connection is still resumed.",
  }),
  ociArtifactMountSupport: boolean("oci_artifact_mount_support", {
    default: true,
    environment: "CONTAINER_OCI_ARTIFACT_SUPPORT",
    description: "Allows OCI artifacts as image volumes.",
  }),
  shortNameMode: choice("short_name_mode", ["enforcing", "disabled"], {
    default: "enforcing",
    description:
      "What becomes of an image name without a registry that several search registries could serve: `enforcing` refuses it, `disabled` takes the first that has it.",
  }),
});
