import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { useDaemon } from "../support/fixture.ts";
import { get } from "../support/http.ts";
import { containerConfig, containerStatus, createContainer, removePod, runPod, runToEnd } from "../support/pods.ts";
import { cannotRunPods, findProgram } from "../support/requirements.ts";

const zone = "/usr/share/zoneinfo/Asia/Kathmandu";

describe("what the node's configuration gives every container", { skip: cannotRunPods() }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), "berth-node-"));
  after(() => rmSync(folder, { recursive: true }));
  const secrets = path.join(folder, "secrets");
  mkdirSync(secrets);
  writeFileSync(path.join(folder, "certificate"), "subscribed\n");
  symlinkSync("../certificate", path.join(secrets, "entitlement"));
  writeFileSync(path.join(folder, "mounts.conf"), `${secrets}:/run/secrets\n/no/such/place:/x\n`);
  const suite = useDaemon((registry) => ({
    config: {
      "crio.image": `pause_image = "${registry.host}/test/pause:1"`,
      "crio.runtime": [
        `default_mounts_file = "${folder}/mounts.conf"`,
        `timezone = "${existsSync(zone) ? "Asia/Kathmandu" : ""}"`,
        'allowed_devices = ["/dev/full"]',
        "log_to_journald = true",
        "min_injected_gomaxprocs = 3",
      ].join("\n"),
      "crio.runtime.runtimes.runc": 'allowed_annotations = ["devices.crio.io"]',
      "crio.runtime.workloads.small": [
        'activation_annotation = "size=small"',
        'annotation_prefix = "resources.small"',
        "resources = { cpushares = 7 }",
      ].join("\n"),
      "crio.runtime.runtimes.other": [
        `runtime_path = "${findProgram("runc")}"`,
        'allowed_annotations = ["shm-size.crio.io"]',
        `monitor_path = "${folder}/own-conmon"`,
        'monitor_env = ["PATH=/usr/bin:/bin:/usr/sbin:/sbin", "OWN=yes"]',
      ].join("\n"),
    },
  }));
  writeFileSync(
    path.join(folder, "own-conmon"),
    `#!/bin/sh\n[ "$1" = --help ] || echo "$OWN" > ${folder}/own-was-used\nexec ${findProgram("conmon")} "$@"\n`,
    { mode: 0o755 },
  );

  it("are copies of the default mounts, and the file that tells of a container", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "mounted");
    const look = ["sh", "-c", "cat /run/secrets/entitlement; ls -A /run; wc -c < /run/.containerenv"];
    const { stdout, stderr } = await runToEnd(daemon, pod, containerConfig(busybox, "app", look));
    assert.equal(stderr, "");
    assert.deepEqual(stdout.split("\n").slice(0, -1), ["subscribed", ".containerenv", "secrets", "0"]);
    await removePod(daemon, pod.id);
  });

  it("is the time zone", { skip: existsSync(zone) ? false : "the machine has no time zones" }, async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "zoned");
    const look = ["sh", "-c", "tail -n 1 /etc/localtime"];
    const { stdout } = await runToEnd(daemon, pod, containerConfig(busybox, "app", look));
    assert.equal(stdout, "<+0545>-5:45\n");
    await removePod(daemon, pod.id);
  });

  it("are devices that a pod's annotation asks for, as far as they are allowed", async () => {
    const { daemon, busybox } = suite;
    const asking = (devices: string) => ({ annotations: { "devices.crio.io": devices } });
    const pod = await runPod(daemon, "device", asking("/dev/full:/dev/mine:r"));
    const look = ["sh", "-c", "head -c 3 /dev/mine | wc -c; echo x > /dev/mine"];
    const { stdout, stderr } = await runToEnd(daemon, pod, containerConfig(busybox, "app", look));
    assert.equal(stdout, "3\n");
    assert.match(stderr, /not permitted|No space/);
    const refused = await runPod(daemon, "refused", asking("/dev/kmsg"));
    const config = containerConfig(busybox, "app", ["true"]);
    await assert.rejects(createContainer(daemon, refused, config), /PERMISSION_DENIED.*\/dev\/kmsg/);
    await removePod(daemon, pod.id);
    await removePod(daemon, refused.id);
  });

  it("are the resources of the workload that a pod opts in to", async () => {
    const { daemon, busybox } = suite;
    const annotations = { size: "small", "resources.small/special": '{"cpushares": 9}' };
    const pod = await runPod(daemon, "small", { annotations });
    const shares = async (name: string) => {
      const { id } = await runToEnd(daemon, pod, containerConfig(busybox, name, ["true"]));
      return (await containerStatus(daemon, id)).resources?.linux?.cpuShares;
    };
    assert.equal(await shares("plain"), 7n);
    assert.equal(await shares("special"), 9n);
    await removePod(daemon, pod.id);
  });

  it("is GOMAXPROCS for containers without a CPU limit", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "threads");
    const look = ["sh", "-c", "echo ${GOMAXPROCS-none}"];
    const says = async (name: string, resources: { cpuShares?: bigint; cpuQuota?: bigint }) =>
      (await runToEnd(daemon, pod, containerConfig(busybox, name, look, { linux: { resources } }))).stdout;
    assert.equal(await says("idle", {}), "3\n");
    assert.equal(await says("busy", { cpuShares: 2048n }), "4\n");
    assert.equal(await says("limited", { cpuQuota: 50_000n }), "none\n");
    await removePod(daemon, pod.id);
  });

  it("is a larger /dev/shm for pods whose handler allows to ask for it", async () => {
    const { daemon, busybox } = suite;
    const look = ["sh", "-c", "df -m /dev/shm | tail -n 1 | awk '{print $2}'"];
    const size = async (name: string, handler: string) => {
      const pod = await runPod(daemon, name, { annotations: { "io.kubernetes.cri-o.ShmSize": "7Mi" } }, handler);
      const { stdout } = await runToEnd(daemon, pod, containerConfig(busybox, "app", look));
      await removePod(daemon, pod.id);
      return stdout;
    };
    assert.equal(await size("allowed", "other"), "7\n");
    assert.equal(await size("not-allowed", ""), "64\n");
  });

  it("is a monitor of the handler's own", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "monitored", {}, "other");
    const { id, stdout } = await runToEnd(daemon, pod, containerConfig(busybox, "app", ["echo", "seen"]));
    assert.equal(stdout, "seen\n");
    assert.equal(readFileSync(path.join(folder, "own-was-used"), "utf8"), "yes\n");
    const { body } = await get({ socketPath: daemon.places.socket }, `/containers/${id}`);
    assert.equal(
      (JSON.parse(body) as { labels: Record<string, string> }).labels["io.kubernetes.pod.name"],
      "monitored",
    );
    await removePod(daemon, pod.id);
  });
});
