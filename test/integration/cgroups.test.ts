import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { slicePath } from "#drivers/cgroup/slice-path.ts";
import { NamespaceMode, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import {
  containerPid,
  cgroupFile,
  cgroupOf,
  containerGroupOf,
  cgroupVersion,
  hasController,
  readCgroupFile,
} from "../support/cgroup-of.ts";
import { eventually } from "../support/eventually.ts";
import { rejects } from "../support/rejects.ts";
import { useDaemon } from "../support/fixture.ts";
import {
  containerConfig,
  containerStatus,
  createContainer,
  exec,
  exited,
  removePod,
  runContainer,
  runPod,
  runToEnd,
  startContainer,
  type Pod,
} from "../support/pods.ts";
import { cannotRunPods } from "../support/requirements.ts";

const usageFile = cgroupVersion === 2 ? "memory.current" : "memory.usage_in_bytes";
const mebibyte = 1 << 20;
const isSystemd = process.env["BERTH_TEST_CGROUP_MANAGER"] === "systemd";

describe(
  `cgroups, version ${cgroupVersion}, by ${isSystemd ? "systemd" : "cgroupfs"}`,
  { skip: cannotRunPods() },
  () => {
    const suite = useDaemon();
    function newPod(name: string, cgroupParent = suite.daemon.places.cgroupParent): Promise<Pod> {
      const securityContext = { namespaceOptions: { pid: NamespaceMode.CONTAINER } };
      return runPod(suite.daemon, name, { linux: { cgroupParent, securityContext } });
    }

    const sleeper = (name: string, resources: object = {}) =>
      containerConfig(suite.busybox, name, ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"], {
        linux: { resources },
      });

    it("hold a container in its pod's parent under the name that cAdvisor looks for, until it ends", async () => {
      const id = await runContainer(suite.daemon, await newPod("place"), sleeper("place"));
      const group = containerGroupOf(await containerPid(suite.daemon, id), "memory");
      assert.equal(group, path.join(suite.daemon.places.cgroupParent, isSystemd ? `crio-${id}.scope` : `crio-${id}`));
      await suite.daemon.client.call(RuntimeService.method.stopContainer, { containerId: id, timeout: 0n });
      await suite.daemon.client.call(RuntimeService.method.removeContainer, { containerId: id });
      assert.ok(!existsSync(cgroupFile("memory", group, "cgroup.procs")));
    });

    it("hold a container's monitor outside of the daemon's, so that it outlives the daemon's unit", async () => {
      const { daemon } = suite;
      const id = await runContainer(daemon, await newPod("monitor"), sleeper("monitor"));
      const monitor = Number(
        readFileSync(path.join(daemon.places.runroot, "containers", id, "conmon-pidfile"), "utf8"),
      );
      const group = cgroupOf(monitor, "memory");
      assert.equal(path.basename(group), isSystemd ? `crio-conmon-${id}.scope` : `crio-conmon-${id}`);
      assert.notEqual(group, cgroupOf(daemon.pid, "memory"));
    });

    it("take limits when the container is made and when they are changed", async () => {
      const { daemon } = suite;
      const limits = { memoryLimitInBytes: BigInt(64 * mebibyte), cpuPeriod: 100_000n, cpuQuota: 50_000n };
      const id = await runContainer(daemon, await newPod("limits"), sleeper("limits", limits));
      const group = cgroupOf(await containerPid(daemon, id), "memory");
      const cpuGroup = cgroupOf(await containerPid(daemon, id), "cpu");
      assert.equal(memoryLimit(group), 64 * mebibyte);
      assert.equal(cpuQuota(cpuGroup), 50_000);
      await daemon.client.call(RuntimeService.method.updateContainerResources, {
        containerId: id,
        linux: { memoryLimitInBytes: BigInt(96 * mebibyte), cpuPeriod: 100_000n, cpuQuota: 70_000n },
      });
      assert.equal(memoryLimit(group), 96 * mebibyte);
      assert.equal(cpuQuota(cpuGroup), 70_000);
    });

    it("refuse a memory limit below what is in use", async () => {
      const { daemon, busybox } = suite;
      // dd fills its buffer in one call and then waits for a reader that never reads.
      const hog = containerConfig(busybox, "hog", ["sh", "-c", "dd if=/dev/zero bs=32M count=1 | sleep 600"]);
      const id = await runContainer(daemon, await newPod("hog"), hog);
      const group = cgroupOf(await containerPid(daemon, id), "memory");
      await eventually("the memory to be used", () =>
        Number(readCgroupFile("memory", group, usageFile)) > 30_000_000 ? true : undefined,
      );
      const update = { containerId: id, linux: { memoryLimitInBytes: BigInt(16 * mebibyte) } };
      await rejects(
        daemon.client.call(RuntimeService.method.updateContainerResources, update),
        "FAILED_PRECONDITION",
        /16777216 bytes: \d+ bytes are in use/,
      );
      await daemon.client.call(RuntimeService.method.stopContainer, { containerId: id, timeout: 0n });
    });

    it("refuse what the kernel does not take, in the runtime's words, and show what is in force", async () => {
      const { daemon } = suite;
      const limits = { memoryLimitInBytes: BigInt(64 * mebibyte), memorySwapLimitInBytes: BigInt(128 * mebibyte) };
      const id = await runContainer(daemon, await newPod("refused"), sleeper("refused", limits));
      const change = (linux: object): Promise<unknown> =>
        daemon.client.call(RuntimeService.method.updateContainerResources, { containerId: id, linux });
      await rejects(
        change({ cpuQuota: 1n }),
        "INVALID_ARGUMENT",
        new RegExp(id),
        /update exited with .*invalid argument/i,
      );
      if (hasController("cpuset")) await rejects(change({ cpusetCpus: "999" }), "INVALID_ARGUMENT", /"?999"?/);
      await change({ memoryLimitInBytes: BigInt(96 * mebibyte) });
      const shown = (await containerStatus(daemon, id)).resources?.linux;
      const swap = BigInt((countsSwap(cgroupOf(await containerPid(daemon, id), "memory")) ? 96 : 128) * mebibyte);
      assert.deepEqual([shown?.cpuQuota, shown?.memoryLimitInBytes], [0n, BigInt(96 * mebibyte)]);
      assert.equal(shown?.memorySwapLimitInBytes, swap);
    });

    it("refuse what the kernel does not take also when a container is made with it", async () => {
      const pod = await newPod("impossible");
      const made = (resources: object): Promise<string> =>
        createContainer(suite.daemon, pod, sleeper("impossible", resources));
      await rejects(made({ cpuQuota: 1n, cpuPeriod: 100_000n }), "INVALID_ARGUMENT", /invalid argument/);
      if (hasController("cpuset")) await rejects(made({ cpusetCpus: "999" }), "INVALID_ARGUMENT", /999/);
    });

    it("bind a container to CPUs", { skip: hasController("cpuset") ? false : "no cpuset controller" }, async () => {
      const id = await runContainer(suite.daemon, await newPod("cpuset"), sleeper("cpuset", { cpusetCpus: "0" }));
      const { stdout } = await exec(suite.daemon, id, ["grep", "Cpus_allowed_list", "/proc/self/status"]);
      assert.match(stdout, /:\s*0\n/);
    });

    it("limit huge pages", { skip: hasController("hugetlb") ? false : "no hugetlb controller" }, async () => {
      const hugepageLimits = [{ pageSize: "2MB", limit: BigInt(4 * mebibyte) }];
      const id = await runContainer(suite.daemon, await newPod("huge"), sleeper("huge", { hugepageLimits }));
      const group = cgroupOf(await containerPid(suite.daemon, id), "hugetlb");
      const name = cgroupVersion === 2 ? "hugetlb.2MB.max" : "hugetlb.2MB.limit_in_bytes";
      assert.equal(Number(readCgroupFile("hugetlb", group, name)), 4 * mebibyte);
    });

    it("take free keys", { skip: cgroupVersion === 2 ? false : "unified keys are version 2's" }, async () => {
      const unified = { "memory.high": String(48 * mebibyte) };
      const id = await runContainer(suite.daemon, await newPod("unified"), sleeper("unified", { unified }));
      const group = cgroupOf(await containerPid(suite.daemon, id), "memory");
      assert.equal(Number(readCgroupFile("memory", group, "memory.high")), 48 * mebibyte);
    });

    it("tell of a container that the kernel killed for its memory, also when others live in the pod", async () => {
      const { daemon, busybox } = suite;
      const pod = await newPod("oom");
      await runContainer(daemon, pod, sleeper("neighbour"));
      const resources = { memoryLimitInBytes: BigInt(16 * mebibyte), memorySwapLimitInBytes: BigInt(16 * mebibyte) };
      for (const attempt of [1, 2, 3]) {
        const eater = containerConfig(busybox, `eater${attempt}`, ["sh", "-c", "exec tail /dev/zero"], {
          linux: { resources },
        });
        const { status } = await runToEnd(daemon, pod, eater);
        assert.deepEqual([status.reason, status.exitCode], ["OOMKilled", 137]);
      }
      const killed = await createContainer(daemon, pod, sleeper("killed", resources));
      await startContainer(daemon, killed);
      await daemon.client.call(RuntimeService.method.stopContainer, { containerId: killed, timeout: 0n });
      assert.equal((await exited(daemon, killed)).reason, "Error");
    });

    it("take limits for all of a pod", async () => {
      const { daemon } = suite;
      const base = daemon.places.cgroupParent;
      const parent = isSystemd ? `${base.slice(0, -".slice".length)}-pod.slice` : `${base}/pod`;
      const pod = await newPod("podlimits", parent);
      const id = await runContainer(daemon, pod, sleeper("podlimits"));
      const group = path.dirname(containerGroupOf(await containerPid(daemon, id), "memory"));
      await daemon.client.call(RuntimeService.method.updatePodSandboxResources, {
        podSandboxId: pod.id,
        resources: {
          memoryLimitInBytes: BigInt(200 * mebibyte),
          cpuPeriod: 100_000n,
          cpuQuota: 80_000n,
          cpuShares: 512n,
        },
        overhead: { memoryLimitInBytes: BigInt(8 * mebibyte), cpuPeriod: 100_000n, cpuQuota: 10_000n },
      });
      assert.equal(memoryLimit(group), 208 * mebibyte);
      assert.equal(cpuQuota(path.dirname(containerGroupOf(await containerPid(daemon, id), "cpu"))), 90_000);
      await removePod(daemon, pod.id);
      assert.ok(!existsSync(cgroupFile("memory", group, "cgroup.procs")), "the pod's group is removed with it");
    });

    it("stay while a pod is in them or below them, whichever pod they were made for, and go with the last", async () => {
      const { daemon } = suite;
      const base = daemon.places.cgroupParent;
      const below = (name: string): string =>
        isSystemd ? `${base.slice(0, -".slice".length)}-${name}.slice` : `${base}/${name.replaceAll("-", "/")}`;
      const group = (name: string): string =>
        cgroupFile("memory", isSystemd ? slicePath(below(name)) : below(name), "cgroup.procs");
      const upper = await newPod("upper", below("x"));
      const lower = await newPod("lower", below("x-y"));
      await removePod(daemon, upper.id);
      assert.ok(existsSync(group("x-y")), "the lower pod's group goes with the upper pod");
      const again = await newPod("again", below("x"));
      await removePod(daemon, lower.id);
      assert.ok(existsSync(group("x")), "the upper pod's group goes with the lower pod");
      await runContainer(daemon, again, sleeper("again"));
      await removePod(daemon, again.id);
      assert.ok(!existsSync(group("x")), "a group is left");
    });
  },
);

function memoryLimit(group: string): number {
  return Number(readCgroupFile("memory", group, cgroupVersion === 2 ? "memory.max" : "memory.limit_in_bytes"));
}

/** True when the kernel counts swap. */
function countsSwap(group: string): boolean {
  const name = cgroupVersion === 2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes";
  return existsSync(cgroupFile("memory", group, name));
}

function cpuQuota(group: string): number {
  const text = readCgroupFile("cpu", group, cgroupVersion === 2 ? "cpu.max" : "cpu.cfs_quota_us");
  return Number(text.split(" ")[0]);
}
