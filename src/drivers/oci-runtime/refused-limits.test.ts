import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { refusedLimits } from "./refused-limits.ts";

describe("limits that a runtime could not change", () => {
  it("are wrong where the kernel or the runtime says that no container can have them", () => {
    for (const words of [
      'failed to write "999": write /sys/fs/cgroup/cpuset/pod/c/cpuset.cpus: numerical result out of range',
      'failed to write "1": write /sys/fs/cgroup/cpu/pod/c/cpu.cfs_quota_us: invalid argument',
      "the minimum allowed cpu-shares is 2",
      "the maximum allowed cpu-shares is 262144",
      "memory+swap limit should be >= memory limit",
      "openat2 /sys/fs/cgroup/pod/c/memory.none: no such file or directory",
      "write to `cpuset.cpus`: Numerical result out of range",
      "error opening file `hugetlb.7MB.max`: No such file or directory",
    ])
      assert.equal(refusedLimits(words), "invalid-argument", words);
  });

  it("do not fit the container as it is now where they are below what it uses", () => {
    for (const words of [
      "unable to set memory limit to 13631488 (current usage: 33554432, peak usage: 33554432)",
      'failed to write "1": write /sys/fs/cgroup/memory/pod/c/memory.limit_in_bytes: device or resource busy',
      "write /sys/fs/cgroup/cpuset/pod/c/cpuset.cpus: no space left on device",
    ])
      assert.equal(refusedLimits(words), "failed-precondition", words);
  });

  it("are a failure of the runtime otherwise", () => {
    for (const words of [
      "container does not exist",
      "it said nothing",
      "open /run/runc/c/state.json: permission denied",
    ])
      assert.equal(refusedLimits(words), undefined, words);
  });
});
