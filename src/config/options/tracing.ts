import { between } from "../checks.ts";
import { boolean, integer, text } from "../option.ts";
import { section } from "../section.ts";

/** `[crio.tracing]`: OpenTelemetry. */
export const tracing = section("crio.tracing", "Export of OpenTelemetry traces.", {
  enableTracing: boolean("enable_tracing", {
    default: false,
    status: "accepted",
    description: "Exports traces of requests.",
  }),
  tracingEndpoint: text("tracing_endpoint", {
    default: "127.0.0.1:4317",
    status: "accepted",
    description: "Address of the gRPC collector.",
  }),
  tracingSamplingRatePerMillion: integer("tracing_sampling_rate_per_million", {
    default: 0,
    check: between(0, 1_000_000),
    status: "accepted",
    description: "Traces to take per million requests; 1000000 takes all.",
  }),
});
