import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createServer } from "node:net";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { ImageService, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { busyboxConfig, busyboxEntries } from "../support/busybox.ts";
import { startDaemon } from "../support/daemon.ts";
import { bridgeConflist } from "../support/daemon-config.ts";
import { eventually } from "../support/eventually.ts";
import { buildImage } from "../support/image-builder.ts";
import { fillDisk } from "../support/fill-disk.ts";
import { containerConfig, podConfig, pull, removePod, runContainer, runPod, untilTerminated } from "../support/pods.ts";
import { startRegistry } from "../support/registry.ts";
import { rejects } from "../support/rejects.ts";
import { cannotRunPods } from "../support/requirements.ts";

const { runPodSandbox } = RuntimeService.method;
const { pullImage } = ImageService.method;

describe("a machine that is not as it should be", { skip: cannotRunPods() }, () => {
  it("without a network configuration the network is not ready, pods fail in time, and both end when one appears", async () => {
    await using daemon = await startDaemon({ conflist: null });
    const ready = async (): Promise<boolean | undefined> => {
      const { status } = await daemon.client.call(RuntimeService.method.status, {});
      return status?.conditions.find(({ type }) => type === "NetworkReady")?.status;
    };
    assert.equal(await ready(), false);
    const config = podConfig(daemon, "waiting");
    await rejects(daemon.client.call(runPodSandbox, { config }, { timeoutMs: 1000 }), [
      "DEADLINE_EXCEEDED",
      "UNAVAILABLE",
      "FAILED_PRECONDITION",
      "UNKNOWN",
    ]);
    writeFileSync(path.join(daemon.places.conflistFolder, "10-late.conflist"), bridgeConflist(daemon.places));
    await eventually("the network to be ready", async () => ((await ready()) === true ? true : undefined));
    const { podSandboxId } = await daemon.client.call(runPodSandbox, { config });
    await removePod(daemon, podSandboxId);
  });

  it("a CNI plugin that is missing is named, and the network is not ready", async () => {
    const conflist = JSON.stringify({ cniVersion: "1.0.0", name: "n", plugins: [{ type: "no-such-plugin" }] });
    await using daemon = await startDaemon({ conflist });
    const { status } = await daemon.client.call(RuntimeService.method.status, {});
    const network = status?.conditions.find(({ type }) => type === "NetworkReady");
    assert.equal(network?.status, false);
    assert.match(network.message, /no-such-plugin/);
  });

  it("a full disk fails the pull with its reason, and a pull after that works", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "berth-full-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", folder]);
    try {
      await using registry = await startRegistry();
      const noise = Buffer.alloc(40 << 20, "not much in it ");
      const big = buildImage({ layers: [{ entries: [{ path: "big", content: noise }] }] });
      const reference = await registry.push(big, "bad/big", "v1");
      const fits = await registry.push(
        buildImage({ layers: [{ entries: busyboxEntries() }], config: busyboxConfig }),
        "good/small",
        "v1",
      );
      await using daemon = await startDaemon({ insecureRegistries: [registry.host], root: path.join(folder, "root") });
      const before = daemon.footprint();
      await rejects(pull(daemon, reference), ["RESOURCE_EXHAUSTED", "UNKNOWN", "INTERNAL"], /space|ENOSPC/i);
      await daemon.holdsNoMoreThan(before);
      await pull(daemon, fits);
    } finally {
      execFileSync("umount", ["--lazy", folder]);
      rmSync(folder, { recursive: true });
    }
  });

  it("a full disk does not keep a pod from being stopped and removed, and a pod after that runs", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "berth-full-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", folder]);
    try {
      await using registry = await startRegistry();
      const image = buildImage({ layers: [{ entries: busyboxEntries() }], config: busyboxConfig });
      const busybox = await registry.push(image, "good/small", "v1");
      await using daemon = await startDaemon({ insecureRegistries: [registry.host], root: path.join(folder, "root") });
      await pull(daemon, busybox);
      const startPod = async (name: string): Promise<string> => {
        const pod = await runPod(daemon, name);
        await runContainer(daemon, pod, containerConfig(busybox, "main", untilTerminated));
        return pod.id;
      };
      await removePod(daemon, await startPod("before"));
      const before = daemon.footprint();
      const pod = await startPod("full");
      const ballast = fillDisk(folder);
      await removePod(daemon, pod);
      await daemon.holdsNoMoreThan(before);
      rmSync(ballast);
      await removePod(daemon, await startPod("after"));
    } finally {
      execFileSync("umount", ["--lazy", folder]);
      rmSync(folder, { recursive: true });
    }
  });

  it("a registry that accepts connections and says nothing does not hold up other requests", async () => {
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const address = silent.address();
    assert.ok(address !== null && typeof address === "object");
    try {
      const host = `127.0.0.1:${address.port}`;
      await using daemon = await startDaemon({ insecureRegistries: [host] });
      const hangUp = new AbortController();
      const pulling = daemon.client.call(pullImage, { image: { image: `${host}/a/b:c` } }, { signal: hangUp.signal });
      pulling.catch(() => {});
      const pod = await runPod(daemon, "meanwhile");
      await removePod(daemon, pod.id);
      hangUp.abort();
      await rejects(pulling, "CANCELLED");
    } finally {
      silent.close();
    }
  });
});
