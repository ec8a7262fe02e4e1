import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { noResources } from "./request-example.ts";
import { type Workload, withWorkload, workloadOf } from "./workload.ts";

const none = { cpuShares: 0, cpuQuotaUs: 0, cpuPeriodUs: 0, cpuSet: "", cpuLimitMillicores: 0 };

function workload(changes: Partial<Omit<Workload, "resources">> & { resources?: Partial<typeof none> } = {}): Workload {
  return {
    activationAnnotation: "target.workload/management",
    annotationPrefix: "resources.workload",
    allowedAnnotations: [],
    ...changes,
    resources: { ...none, ...changes.resources },
  };
}

describe("a workload", () => {
  it("is that of pods with its annotation, whatever the value unless one is named", () => {
    const byKey = workload();
    const byValue = workload({ activationAnnotation: "class=batch" });
    assert.equal(workloadOf([byValue, byKey], { "target.workload/management": "" }), byKey);
    assert.equal(workloadOf([byValue, byKey], { class: "batch" }), byValue);
    assert.equal(workloadOf([byValue, byKey], { class: "web" }), undefined);
  });

  it("gives containers its resources and leaves the rest as requested", () => {
    const requested = { ...noResources, cpuShares: 512, cpuQuotaUs: 20_000, memoryLimitBytes: 1e6 };
    const given = withWorkload(requested, workload({ resources: { cpuSet: "0-1", cpuShares: 2 } }), "app", {});
    assert.deepEqual(given, { ...requested, cpusetCpus: "0-1", cpuShares: 2 });
  });

  it("lets the pod's annotation change the resources of one container", () => {
    const defaults = workload({ resources: { cpuShares: 2, cpuSet: "0" } });
    const pod = { "resources.workload/app": '{"cpushares": 20, "cpuperiod": 50000, "cpuquota": 10000}' };
    const { cpuShares, cpusetCpus, cpuPeriodUs, cpuQuotaUs } = withWorkload(undefined, defaults, "app", pod);
    assert.deepEqual([cpuShares, cpusetCpus, cpuPeriodUs, cpuQuotaUs], [20, "0", 50_000, 10_000]);
    assert.equal(withWorkload(undefined, defaults, "other", pod).cpuShares, 2);
  });

  it("makes a quota of a limit in millicores, at least what the kernel takes", () => {
    const limited = (cpuLimitMillicores: number, cpuPeriodUs = 0) => {
      const given = withWorkload(undefined, workload({ resources: { cpuLimitMillicores, cpuPeriodUs } }), "app", {});
      return [given.cpuQuotaUs, given.cpuPeriodUs];
    };
    assert.deepEqual(limited(250), [25_000, 100_000]);
    assert.deepEqual(limited(500, 20_000), [10_000, 20_000]);
    assert.deepEqual(limited(1), [1000, 100_000]);
  });

  it("refuses an annotation that cannot be understood, and names it", () => {
    for (const text of ["{", '"x"', '{"cpushares": "many"}'])
      assert.throws(() => withWorkload(undefined, workload(), "app", { "resources.workload/app": text }), {
        kind: "invalid-argument",
        message: /the annotation resources\.workload\/app /,
      });
  });
});
