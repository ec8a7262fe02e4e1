import { absolutePath, absolutePaths, absolutePathOrEmpty, capability, device, each } from "../checks.ts";
import { boolean, choice, list, text } from "../option.ts";

/** The options of `[crio.runtime]` about confinement and devices. */
export const securityFields = {
  noPivot: boolean("no_pivot", {
    default: false,
    description: "Lets the OCI runtime do without pivot_root, for a root on a ramdisk.",
  }),
  selinux: selinuxOption(),
  seccompProfile: text("seccomp_profile", {
    default: "",
    reloadable: true,
    check: absolutePathOrEmpty,
    description: "Seccomp profile (JSON) that stands for RuntimeDefault. Empty: the built-in one.",
  }),
  privilegedSeccompProfile: text("privileged_seccomp_profile", {
    default: "",
    reloadable: true,
    check: absolutePathOrEmpty,
    description: "Seccomp profile (JSON) of privileged containers. Empty: none.",
  }),
  apparmorProfile: text("apparmor_profile", {
    default: "crio-default",
    reloadable: true,
    description:
      "AppArmor profile that stands for RuntimeDefault. The profile crio-default is built in and loaded at start.",
  }),
  blockioConfigFile: text("blockio_config_file", {
    default: "",
    reloadable: true,
    check: absolutePathOrEmpty,
    status: "accepted",
    description: "Classes of block device weights and throttles.",
  }),
  blockioReload: boolean("blockio_reload", {
    default: false,
    reloadable: true,
    status: "accepted",
    description: "Reads blockio_config_file and scans devices again for each container.",
  }),
  rdtConfigFile: text("rdt_config_file", {
    default: "",
    reloadable: true,
    check: absolutePathOrEmpty,
    status: "accepted",
    description: "Classes of Intel's resource director technology (resctrl).",
  }),
  cdiSpecDirs: list("cdi_spec_dirs", {
    default: ["/etc/cdi", "/var/run/cdi"],
    reloadable: true,
    check: absolutePaths,
    description: "Directories of CDI device descriptions.",
  }),
  defaultCapabilities: list("default_capabilities", {
    default: ["CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "SETGID", "SETUID", "SETPCAP", "NET_BIND_SERVICE", "KILL"],
    check: each(capability),
    description: "Capabilities of containers that neither add nor drop any.",
  }),
  addInheritableCapabilities: boolean("add_inheritable_capabilities", {
    default: false,
    description:
      "Puts capabilities into the inheritable set too, so that executables with file capabilities keep them.",
  }),
  allowedDevices: list("allowed_devices", {
    default: ["/dev/fuse", "/dev/net/tun"],
    check: each(absolutePath),
    description: "Devices that a pod may ask for by annotation.",
  }),
  additionalDevices: list("additional_devices", {
    default: [],
    check: each(device),
    description: "Devices that all containers get, each /HOST:/CONTAINER:PERMISSIONS.",
  }),
  deviceOwnershipFromSecurityContext: boolean("device_ownership_from_security_context", {
    default: false,
    description: "Gives devices to the user and group that the container runs as.",
  }),
  hostnetworkDisableSelinux: boolean("hostnetwork_disable_selinux", {
    default: true,
    description: "Leaves out SELinux labels for containers in the network namespace of the host.",
  }),
};

/** CRI-O's option is a boolean whose default is what the machine has; `auto` says that. */
function selinuxOption() {
  const words = choice("selinux", ["auto", "true", "false"], {
    default: "auto",
    description:
      "Labels containers for SELinux: true, false, or `auto` when SELinux is enforcing or permissive on this machine.",
  });
  return {
    ...words,
    fromToml: (raw: unknown) => words.fromToml(typeof raw === "boolean" ? String(raw) : raw),
    fromTexts: (texts: readonly string[]) => words.fromTexts([texts.at(-1) ?? ""]),
    toToml: (value: "auto" | "true" | "false") => (value === "auto" ? '"auto"' : value),
  };
}
