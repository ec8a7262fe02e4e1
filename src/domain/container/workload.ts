import type { LinuxResources } from "#domain/sandbox/request.ts";
import { DomainError, messageOf } from "#errors/domain-error.ts";
import { noResources } from "./no-resources.ts";

/** `[crio.runtime.workloads.NAME]`: what pods that opt in by an annotation get. */
export interface Workload {
  /** `KEY`, or `KEY=VALUE` for one value only. */
  readonly activationAnnotation: string;
  /** `PREFIX/CONTAINER` is the annotation that changes the resources of one container. */
  readonly annotationPrefix: string;
  readonly allowedAnnotations: readonly string[];
  readonly resources: WorkloadResources;
}

/** 0 and empty leave what the request says. */
export interface WorkloadResources {
  readonly cpuShares: number;
  readonly cpuQuotaUs: number;
  readonly cpuPeriodUs: number;
  readonly cpuSet: string;
  readonly cpuLimitMillicores: number;
}

type Annotations = Readonly<Record<string, string>>;

/** The kernel's own, and the least quota that it takes. */
const defaultPeriodUs = 100_000;
const leastQuotaUs = 1000;

/** The workload that a pod opts in to, the first that fits; undefined for most pods. */
export function workloadOf(workloads: Iterable<Workload>, pod: Annotations): Workload | undefined {
  for (const workload of workloads) if (isActive(workload, pod)) return workload;
  return undefined;
}

function isActive({ activationAnnotation }: Workload, pod: Annotations): boolean {
  const at = activationAnnotation.indexOf("=");
  if (at === -1) return pod[activationAnnotation] !== undefined;
  return pod[activationAnnotation.slice(0, at)] === activationAnnotation.slice(at + 1);
}

/**
 * A container's resources with those of its workload, which its annotation of the pod may change.
 * @throws DomainError invalid-argument when the annotation is not the JSON that it should be
 */
export function withWorkload(
  requested: LinuxResources | undefined,
  workload: Workload,
  containerName: string,
  pod: Annotations,
): LinuxResources {
  const base = requested ?? noResources;
  const own = resourcesFor(workload, containerName, pod);
  const cpuPeriodUs = own.cpuPeriodUs || base.cpuPeriodUs;
  const limit =
    own.cpuLimitMillicores === 0
      ? { cpuPeriodUs, cpuQuotaUs: own.cpuQuotaUs || base.cpuQuotaUs }
      : cpuLimit(own.cpuLimitMillicores, cpuPeriodUs || defaultPeriodUs);
  return { ...base, ...limit, cpuShares: own.cpuShares || base.cpuShares, cpusetCpus: own.cpuSet || base.cpusetCpus };
}

function cpuLimit(millicores: number, cpuPeriodUs: number): { cpuPeriodUs: number; cpuQuotaUs: number } {
  return { cpuPeriodUs, cpuQuotaUs: Math.max(leastQuotaUs, Math.trunc((millicores * cpuPeriodUs) / 1000)) };
}

/** The annotation's keys are those of the configuration file. */
function resourcesFor(workload: Workload, containerName: string, pod: Annotations): WorkloadResources {
  const key = `${workload.annotationPrefix}/${containerName}`;
  const text = pod[key];
  if (workload.annotationPrefix === "" || text === undefined) return workload.resources;
  const given = parse(key, text);
  const defaults = workload.resources;
  const count = (name: string, otherwise: number): number => {
    const value = given[name] ?? 0;
    if (typeof value === "number" && Number.isSafeInteger(value)) return value || otherwise;
    throw new DomainError("invalid-argument", `the annotation ${key} has a ${name} that is no whole number`);
  };
  return {
    cpuShares: count("cpushares", defaults.cpuShares),
    cpuQuotaUs: count("cpuquota", defaults.cpuQuotaUs),
    cpuPeriodUs: count("cpuperiod", defaults.cpuPeriodUs),
    cpuLimitMillicores: count("cpulimit", defaults.cpuLimitMillicores),
    cpuSet: typeof given["cpuset"] === "string" && given["cpuset"] !== "" ? given["cpuset"] : defaults.cpuSet,
  };
}

function parse(key: string, text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
    throw new Error("it is no object");
  } catch (error) {
    throw new DomainError("invalid-argument", `the annotation ${key} cannot be understood: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
