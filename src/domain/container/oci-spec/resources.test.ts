import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exampleHostFacts } from "#drivers/security/fake.ts";
import { noResources } from "../request-example.ts";
import { buildResources, oomScoreAdj, type ResourceInputs } from "./resources.ts";

const mebibyte = 1 << 20;
const plain: ResourceInputs = {
  requested: noResources,
  cgroup: exampleHostFacts().cgroup,
  minMemoryBytes: 12 * mebibyte,
  pidsLimit: -1,
};

describe("resources", () => {
  it("are empty when nothing is limited", () => {
    assert.deepEqual(buildResources(plain), { resources: {}, warnings: [] });
    assert.deepEqual(buildResources({ ...plain, requested: undefined }), { resources: {}, warnings: [] });
  });

  it("carry CPU, memory and process limits", () => {
    const requested = {
      ...noResources,
      cpuShares: 512,
      cpuQuotaUs: 50_000,
      cpuPeriodUs: 100_000,
      cpusetCpus: "0-1",
      cpusetMems: "0",
      memoryLimitBytes: 64 * mebibyte,
    };
    assert.deepEqual(buildResources({ ...plain, requested, pidsLimit: 100 }).resources, {
      pids: { limit: 100 },
      cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: "0-1", mems: "0" },
      memory: { limit: 64 * mebibyte, swap: 64 * mebibyte },
    });
  });

  it("keep an unlimited CPU quota", () => {
    const requested = { ...noResources, cpuQuotaUs: -1 };
    assert.deepEqual(buildResources({ ...plain, requested }).resources.cpu, { quota: -1 });
  });

  it("allow swap only as far as the request does, and say nothing of it where the kernel counts none", () => {
    const requested = { ...noResources, memoryLimitBytes: 64 * mebibyte, memorySwapLimitBytes: 96 * mebibyte };
    assert.equal(buildResources({ ...plain, requested }).resources.memory?.swap, 96 * mebibyte);
    const cgroup = { ...plain.cgroup, hasMemorySwap: false };
    assert.deepEqual(buildResources({ ...plain, requested, cgroup }).resources.memory, { limit: 64 * mebibyte });
  });

  it("refuse a memory limit that no container could start with", () => {
    const requested = { ...noResources, memoryLimitBytes: mebibyte };
    assert.throws(() => buildResources({ ...plain, requested }), {
      kind: "invalid-argument",
      message: /1048576 bytes is below the 12582912/,
    });
  });

  it("stay numbers that 64 bits hold", () => {
    const requested = { ...noResources, memoryLimitBytes: 2 ** 63 };
    assert.equal(buildResources({ ...plain, requested }).resources.memory?.limit, Number.MAX_SAFE_INTEGER);
  });

  const hugepageLimits = [
    { pageSize: "2MB", limitBytes: 4 * mebibyte },
    { pageSize: "1GB", limitBytes: 0 },
  ];

  it("limit huge pages where the kernel can", () => {
    assert.deepEqual(buildResources({ ...plain, requested: { ...noResources, hugepageLimits } }).resources, {
      hugepageLimits: [
        { pageSize: "2MB", limit: 4 * mebibyte },
        { pageSize: "1GB", limit: 0 },
      ],
    });
  });

  it("leave out what the kernel has no controller for, with a warning where it was a limit", () => {
    const cgroup = { version: 1 as const, controllers: ["cpu"], hasMemorySwap: false };
    const limited = { ...noResources, hugepageLimits, unified: { "memory.high": "1" } };
    const result = buildResources({ ...plain, cgroup, pidsLimit: 5, requested: limited });
    assert.deepEqual(result.resources, {});
    assert.match(result.warnings.join("\n"), /pids_limit 5[^]*huge pages \(2MB\)[^]*memory.high cannot be set/);
    const unlimited = { ...noResources, hugepageLimits: [{ pageSize: "2MB", limitBytes: 0 }] };
    assert.deepEqual(buildResources({ ...plain, cgroup, requested: unlimited }).warnings, []);
  });

  it("pass on files of cgroup v2", () => {
    const unified = { "memory.high": "1000000" };
    assert.deepEqual(buildResources({ ...plain, requested: { ...noResources, unified } }).resources, { unified });
  });
});

describe("the OOM score", () => {
  const cases: [wanted: number, daemon: { oomScoreAdj: number; canLower: boolean }, value: number, warned: boolean][] =
    [
      [-997, { oomScoreAdj: 0, canLower: true }, -997, false],
      [-997, { oomScoreAdj: 0, canLower: false }, 0, true],
      [500, { oomScoreAdj: 0, canLower: false }, 500, false],
      [0, { oomScoreAdj: 100, canLower: false }, 100, true],
      [-500, { oomScoreAdj: -999, canLower: false }, -500, false],
      [5000, { oomScoreAdj: 0, canLower: true }, 1000, false],
    ];
  for (const [wanted, daemon, value, warned] of cases)
    it(`of ${wanted} is ${value} from a daemon with ${JSON.stringify(daemon)}`, () => {
      const result = oomScoreAdj(wanted, daemon);
      assert.equal(result.value, value);
      assert.equal(result.warning !== undefined, warned);
    });
});
