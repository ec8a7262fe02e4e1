import { absolutePath, absolutePaths, absolutePathOrEmpty } from "../checks.ts";
import { duration, list, text } from "../option.ts";
import { section } from "../section.ts";

/** `[crio.network]`: CNI. */
export const network = section("crio.network", "Pod networks by CNI plugins.", {
  cniDefaultNetwork: text("cni_default_network", {
    default: "",
    description: "Name of the CNI network to use. Empty: that of the first configuration file in lexical order.",
  }),
  networkDir: text("network_dir", {
    default: "/etc/cni/net.d/",
    flags: ["cni-config-dir"],
    check: absolutePath,
    description: "Directory of CNI configuration files.",
  }),
  pluginDirs: list("plugin_dirs", {
    default: ["/opt/cni/bin/", "/usr/lib/cni"],
    flags: ["cni-plugin-dir"],
    check: absolutePaths,
    description:
      "Directories of CNI plugins, searched in this order. CRI-O's default lacks /usr/lib/cni, where Debian's and Ubuntu's packages put them.",
  }),
  pluginDir: text("plugin_dir", {
    default: "",
    flags: [],
    environment: null,
    check: absolutePathOrEmpty,
    deprecated: "Use plugin_dirs.",
    description: "One more directory of CNI plugins, searched last.",
  }),
  cniStatusGracePeriodMs: duration("cni_status_grace_period", {
    default: 0,
    environment: "CNI_STATUS_GRACE_PERIOD",
    description: "How long a CNI plugin's STATUS may fail before the node is reported as not ready.",
  }),
});
