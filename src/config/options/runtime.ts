import { section } from "../section.ts";
import { runtimes } from "./handler.ts";
import { containerFields } from "./runtime-container.ts";
import { daemonFields } from "./runtime-daemon.ts";
import { securityFields } from "./runtime-security.ts";
import { workloads } from "./workload.ts";

/** `[crio.runtime]`: running containers. */
export const runtime = section(
  "crio.runtime",
  "How containers are run.",
  { ...daemonFields, ...containerFields, ...securityFields },
  { runtimes, workloads },
);
