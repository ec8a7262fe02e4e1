import { atLeast, cpuSet, matches } from "../checks.ts";
import { integer, list, text } from "../option.ts";
import { record } from "../record-option.ts";
import type { NamedTables } from "../section.ts";

const noFlag = { flags: [], environment: null } as const;

const resourceFields = {
  cpuShares: integer("cpushares", {
    default: 0,
    ...noFlag,
    check: atLeast(0),
    description: "CPU shares.",
  }),
  cpuQuotaUs: integer("cpuquota", {
    default: 0,
    ...noFlag,
    check: atLeast(-1),
    description: "Microseconds of CPU time per period.",
  }),
  cpuPeriodUs: integer("cpuperiod", {
    default: 0,
    ...noFlag,
    check: atLeast(0),
    description: "The period in microseconds.",
  }),
  cpuSet: text("cpuset", { default: "", ...noFlag, check: cpuSet, description: "CPUs to run on." }),
  cpuLimitMillicores: integer("cpulimit", {
    default: 0,
    ...noFlag,
    check: atLeast(0),
    description: "CPU limit in thousandths of a CPU, from which a quota is made.",
  }),
};

const workloadFields = {
  activationAnnotation: text("activation_annotation", {
    default: "",
    ...noFlag,
    check: matches(/^[^\s]+$/, "the key of an annotation, optionally with =value"),
    description: "Annotation by which a pod opts in to this workload. Required.",
  }),
  annotationPrefix: text("annotation_prefix", {
    default: "",
    ...noFlag,
    description: "Prefix of the annotations PREFIX/CONTAINER, whose JSON value changes the resources of one container.",
  }),
  allowedAnnotations: list("allowed_annotations", {
    default: [],
    ...noFlag,
    description: "Annotations that pods of this workload may use to change how they run.",
  }),
  resources: record("resources", resourceFields, {
    ...noFlag,
    description: "Resources that containers of this workload get: cpushares, cpuquota, cpuperiod, cpuset, cpulimit.",
  }),
};

/** `[crio.runtime.workloads.NAME]`: resources for pods that opt in by an annotation. */
export const workloads: NamedTables<typeof workloadFields> = {
  kind: "named-tables",
  key: "workloads",
  description: "Resources and annotations for pods that opt in by an annotation.",
  reloadable: false,
  fields: workloadFields,
  default: new Map(),
};
