import { absolutePathOrEmpty, between } from "../checks.ts";
import { boolean, integer, list, text } from "../option.ts";
import { section } from "../section.ts";

/** `[crio.metrics]`: the Prometheus endpoint. */
export const metrics = section("crio.metrics", "The endpoint for Prometheus.", {
  enableMetrics: boolean("enable_metrics", {
    default: false,
    description: "Serves metrics by HTTP at /metrics.",
  }),
  metricsCollectors: list("metrics_collectors", {
    default: ["all"],
    description:
      "CRI-O's metrics to serve, by name with or without the prefix `container_runtime_crio_` or `crio_`; `all` stands for every one.",
  }),
  metricsHost: text("metrics_host", {
    default: "127.0.0.1",
    description: "Address on which metrics are served.",
  }),
  metricsPort: integer("metrics_port", {
    default: 9090,
    check: between(0, 65_535),
    description: "Port on which metrics are served.",
  }),
  metricsSocket: text("metrics_socket", {
    default: "",
    check: absolutePathOrEmpty,
    description: "Unix socket on which metrics are served as well.",
  }),
  metricsCert: text("metrics_cert", {
    default: "",
    check: absolutePathOrEmpty,
    description:
      "Certificate of the metrics endpoint, PEM. With metrics_key, metrics are served by TLS. Where neither file exists, a self-signed certificate is made with openssl.",
  }),
  metricsKey: text("metrics_key", {
    default: "",
    check: absolutePathOrEmpty,
    description: "Key of the metrics endpoint, PEM.",
  }),
});
