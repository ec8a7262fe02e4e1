import { absolutePath } from "../checks.ts";
import { boolean, duration, list, text } from "../option.ts";
import { section } from "../section.ts";

const accepted = "accepted" as const;

/** `[crio.nri]`: plugins of the Node Resource Interface. */
export const nri = section("crio.nri", "Plugins of the Node Resource Interface.", {
  enableNri: boolean("enable_nri", {
    default: true,
    status: accepted,
    description: "Lets NRI plugins connect.",
  }),
  nriListen: text("nri_listen", {
    default: "/var/run/nri/nri.sock",
    check: absolutePath,
    status: accepted,
    description: "Socket to which plugins connect.",
  }),
  nriPluginDir: text("nri_plugin_dir", {
    default: "/opt/nri/plugins",
    check: absolutePath,
    status: accepted,
    description: "Directory of plugins that are started with the daemon.",
  }),
  nriPluginConfigDir: text("nri_plugin_config_dir", {
    default: "/etc/nri/conf.d",
    check: absolutePath,
    status: accepted,
    description: "Directory of the configuration of those plugins.",
  }),
  nriPluginRegistrationTimeoutMs: duration("nri_plugin_registration_timeout", {
    default: 5000,
    status: accepted,
    description: "How long a plugin may take to register.",
  }),
  nriPluginRequestTimeoutMs: duration("nri_plugin_request_timeout", {
    default: 2000,
    status: accepted,
    description: "How long a plugin may take to answer.",
  }),
  nriDisableConnections: boolean("nri_disable_connections", {
    default: false,
    status: accepted,
    description: "Refuses plugins that the daemon did not start.",
  }),
});

/** `[crio.nri.default_validator]`: what plugins may not do. */
export const nriDefaultValidator = section(
  "crio.nri.default_validator",
  "Changes to containers that NRI plugins may not make.",
  {
    enable: boolean("nri_enable_default_validator", {
      default: false,
      status: accepted,
      description: "Checks what plugins change.",
    }),
    rejectOciHookAdjustment: boolean("nri_validator_reject_oci_hook_adjustment", {
      default: false,
      status: accepted,
      description: "Refuses a container to which a plugin adds OCI hooks.",
    }),
    rejectRuntimeDefaultSeccompAdjustment: boolean("nri_validator_reject_runtime_default_seccomp_adjustment", {
      default: false,
      status: accepted,
      description: "Refuses a container whose default seccomp profile a plugin changes.",
    }),
    rejectUnconfinedSeccompAdjustment: boolean("nri_validator_reject_unconfined_seccomp_adjustment", {
      default: false,
      status: accepted,
      description: "Refuses a container without seccomp profile to which a plugin gives one.",
    }),
    rejectCustomSeccompAdjustment: boolean("nri_validator_reject_custom_seccomp_adjustment", {
      default: false,
      status: accepted,
      description: "Refuses a container whose own seccomp profile a plugin changes.",
    }),
    rejectNamespaceAdjustment: boolean("nri_validator_reject_namespace_adjustment", {
      default: false,
      status: accepted,
      description: "Refuses a container whose namespaces a plugin changes.",
    }),
    requiredPlugins: list("nri_validator_required_plugins", {
      default: [],
      status: accepted,
      description: "Plugins without which no container is created.",
    }),
    tolerateMissingPluginsAnnotation: text("nri_validator_tolerate_missing_plugins_annotation", {
      default: "",
      status: accepted,
      description: "Annotation by which a pod does without the required plugins.",
    }),
  },
);
