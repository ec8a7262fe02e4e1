import assert from "node:assert/strict";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { describe, it } from "node:test";
import {
  ContainerState,
  NamespaceMode,
  PodSandboxState,
  Protocol,
  RuntimeService,
} from "#cri/gen/runtime/v1/api_pb.ts";
import { eventually } from "../support/eventually.ts";
import { useDaemon } from "../support/fixture.ts";
import {
  containerConfig,
  containerStatus,
  createContainer,
  endingWhenTold,
  exec,
  exited,
  podConfig,
  podStatus,
  removePod,
  runContainer,
  runPod,
  runToEnd,
  startContainer,
  stopPod,
  untilTerminated,
} from "../support/pods.ts";
import { freePort } from "../support/registry.ts";
import { rejects } from "../support/rejects.ts";
import { cannotRunPods } from "../support/requirements.ts";

const { listPodSandbox, runPodSandbox, streamPodSandboxes, stopPodSandbox, removePodSandbox } = RuntimeService.method;

describe("a pod's life", { skip: cannotRunPods() }, () => {
  const suite = useDaemon();

  it("is ready with an address of the configured network as soon as RunPodSandbox returns", async () => {
    const { daemon } = suite;
    const pod = await runPod(daemon, "ready", { annotations: { note: "kept" } });
    const status = await podStatus(daemon, pod.id);
    assert.match(pod.id, /^[0-9a-f]{64}$/);
    assert.equal(status.state, PodSandboxState.SANDBOX_READY);
    const address = status.network?.ip ?? "none";
    assert.ok(address.startsWith(`${daemon.places.subnetPrefix}.`), address);
    assert.equal(status.metadata?.name, "ready");
    assert.equal(status.annotations["note"], "kept");
    assert.equal(status.labels["io.kubernetes.pod.name"], "ready");
    assert.ok(status.createdAt > 1_600_000_000_000_000_000n);
    await removePod(daemon, pod.id);
  });

  it("is reached at its address from the host", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "served");
    const serve = endingWhenTold("mkdir -p /www; echo over the bridge >/www/index.html; httpd -f -p 8080 -h /www");
    await runContainer(daemon, pod, containerConfig(busybox, "web", serve));
    const { network } = await podStatus(daemon, pod.id);
    assert.equal(await bodyOf(`http://${network?.ip}:8080/`), "over the bridge\n");
    await removePod(daemon, pod.id);
  });

  it("is reached at its host port while it runs, and not after", async () => {
    const { daemon, busybox } = suite;
    const hostPort = await freePort();
    const pod = await runPod(daemon, "published", {
      portMappings: [{ protocol: Protocol.TCP, containerPort: 8080, hostPort, hostIp: "" }],
    });
    const serve = endingWhenTold("mkdir -p /www; echo published >/www/index.html; httpd -f -p 8080 -h /www");
    await runContainer(daemon, pod, containerConfig(busybox, "web", serve));
    const url = `http://${daemon.places.subnetPrefix}.1:${hostPort}/`;
    assert.equal(await bodyOf(url), "published\n");
    await removePod(daemon, pod.id);
    await assert.rejects(fetch(url, { signal: AbortSignal.timeout(2000) }));
  });

  it("has the hostname, name servers, shared memory and sysctls that were asked for", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "settings", {
      hostname: "a-name",
      dnsConfig: { servers: ["192.0.2.1", "192.0.2.2"], searches: ["one.test", "two.test"], options: ["ndots:5"] },
      linux: { cgroupParent: daemon.places.cgroupParent, sysctls: { "net.ipv4.ip_unprivileged_port_start": "99" } },
    });
    const look =
      "hostname; cat /etc/resolv.conf; stat -f -c %T /dev/shm; cat /proc/sys/net/ipv4/ip_unprivileged_port_start";
    const { stdout } = await runToEnd(daemon, pod, containerConfig(busybox, "look", ["sh", "-c", look]));
    const lines = stdout.trimEnd().split("\n");
    assert.equal(lines[0], "a-name");
    assert.ok(lines.includes("nameserver 192.0.2.1") && lines.includes("nameserver 192.0.2.2"), stdout);
    assert.ok(lines.includes("search one.test two.test") && lines.includes("options ndots:5"), stdout);
    assert.deepEqual(lines.slice(-2), ["tmpfs", "99"]);
    await removePod(daemon, pod.id);
  });

  it("shares network, IPC and UTS between its containers and nothing with other pods", async () => {
    const { daemon, busybox } = suite;
    const [one, other] = [await runPod(daemon, "one"), await runPod(daemon, "other")];
    const look = ["sh", "-c", "for ns in net ipc uts; do readlink /proc/self/ns/$ns; done"];
    const namespacesOf = async (pod: typeof one, name: string): Promise<string[]> =>
      (await runToEnd(daemon, pod, containerConfig(busybox, name, look))).stdout.trimEnd().split("\n");
    const first = await namespacesOf(one, "first");
    const second = await namespacesOf(one, "second");
    const foreign = await namespacesOf(other, "foreign");
    assert.deepEqual(second, first);
    // Not the PID namespaces: those ended with their containers, and the kernel gives their numbers again.
    for (const [index, namespace] of first.entries()) assert.notEqual(foreign[index], namespace);
    await Promise.all([removePod(daemon, one.id), removePod(daemon, other.id)]);
  });

  it("lets its containers see each other's processes in PID mode POD", async () => {
    const { daemon, busybox } = suite;
    const options = { namespaceOptions: { pid: NamespaceMode.POD } };
    const pod = await runPod(daemon, "pid-pod", {
      linux: { cgroupParent: daemon.places.cgroupParent, securityContext: options },
    });
    await runContainer(
      daemon,
      pod,
      containerConfig(busybox, "sleeper", endingWhenTold("sleep 3333"), { linux: { securityContext: options } }),
    );
    const look = containerConfig(busybox, "look", ["ps", "-o", "args"], { linux: { securityContext: options } });
    assert.match((await runToEnd(daemon, pod, look)).stdout, /^sleep 3333$/m);
    await removePod(daemon, pod.id);
  });

  it("gives each container processes of its own in PID mode CONTAINER, and those of the host in mode NODE", async () => {
    const { daemon, busybox } = suite;
    const look = async (name: string, pid: NamespaceMode): Promise<string> => {
      const options = { namespaceOptions: { pid } };
      const pod = await runPod(daemon, name, {
        linux: { cgroupParent: daemon.places.cgroupParent, securityContext: options },
      });
      const command = ["sh", "-c", "readlink /proc/self/ns/pid; echo $$"];
      const { stdout } = await runToEnd(
        daemon,
        pod,
        containerConfig(busybox, "look", command, { linux: { securityContext: options } }),
      );
      await removePod(daemon, pod.id);
      return stdout;
    };
    assert.match(await look("pid-container", NamespaceMode.CONTAINER), /\n1\n$/);
    assert.ok((await look("pid-node", NamespaceMode.NODE)).startsWith(readlinkSync("/proc/self/ns/pid")));
  });

  it("joins the PID namespace of the target container in mode TARGET", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "pid-target");
    const targetId = await runContainer(daemon, pod, containerConfig(busybox, "target", endingWhenTold("sleep 4444")));
    const namespaceOptions = { pid: NamespaceMode.TARGET, targetId };
    const look = containerConfig(busybox, "look", ["ps", "-o", "pid,args"], {
      linux: { securityContext: { namespaceOptions } },
    });
    assert.match((await runToEnd(daemon, pod, look)).stdout, /^ *1 .*sleep 4444/m);
    await removePod(daemon, pod.id);
  });

  it("uses the host's network without an address of its own in network mode NODE", async () => {
    const { daemon, busybox } = suite;
    const options = { namespaceOptions: { network: NamespaceMode.NODE } };
    const pod = await runPod(daemon, "host-net", {
      linux: { cgroupParent: daemon.places.cgroupParent, securityContext: options },
    });
    const look = containerConfig(busybox, "look", ["ls", "/sys/class/net"], { linux: { securityContext: options } });
    assert.match((await runToEnd(daemon, pod, look)).stdout, new RegExp(`^${daemon.places.bridge}$`, "m"));
    assert.deepEqual(daemon.footprint().leases, []);
    await removePod(daemon, pod.id);
  });

  it("has lo up", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "lo");
    const { stdout } = await runToEnd(daemon, pod, containerConfig(busybox, "look", ["ip", "addr", "show", "lo"]));
    assert.match(stdout, /<LOOPBACK,UP/);
    assert.match(stdout, /inet 127\.0\.0\.1\/8/);
    await removePod(daemon, pod.id);
  });

  it("is listed by id prefix, state and labels, by list and by stream alike", async () => {
    const { daemon } = suite;
    const pod = await runPod(daemon, "listed", { labels: { team: "blue", tier: "front" } });
    const list = async (filter: object): Promise<string[]> =>
      (await daemon.client.call(listPodSandbox, { filter })).items.map(({ id }) => id);
    assert.deepEqual(await list({ id: pod.id.slice(0, 12) }), [pod.id]);
    assert.deepEqual(await list({ labelSelector: { team: "blue" } }), [pod.id]);
    assert.deepEqual(await list({ labelSelector: { team: "blue", tier: "back" } }), []);
    assert.deepEqual(await list({ id: "f".repeat(64) }), []);
    assert.deepEqual(await list({ id: pod.id, state: { state: PodSandboxState.SANDBOX_NOTREADY } }), []);
    const streamed: string[] = [];
    for await (const { podSandboxes } of daemon.client.stream(streamPodSandboxes, {})) {
      streamed.push(...podSandboxes.map(({ id }) => id));
    }
    assert.deepEqual(streamed.sort(), (await list({})).sort());
    await removePod(daemon, pod.id);
  });

  it("is stopped with its containers, keeps its record, and gives its address back", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "stopped");
    const container = await runContainer(daemon, pod, containerConfig(busybox, "main", untilTerminated));
    await stopPod(daemon, pod.id);
    assert.equal((await podStatus(daemon, pod.id)).state, PodSandboxState.SANDBOX_NOTREADY);
    assert.equal((await containerStatus(daemon, container)).state, ContainerState.CONTAINER_EXITED);
    assert.deepEqual(daemon.footprint().leases, []);
    assert.deepEqual(daemon.footprint().links, []);
    await stopPod(daemon, pod.id);
    const request = {
      podSandboxId: pod.id,
      config: containerConfig(busybox, "late", untilTerminated),
      sandboxConfig: pod.config,
    };
    await rejects(daemon.client.call(RuntimeService.method.createContainer, request), [
      "FAILED_PRECONDITION",
      "UNKNOWN",
      "INTERNAL",
      "UNAVAILABLE",
    ]);
    await removePod(daemon, pod.id);
  });

  it("is removed also when it still runs, and removing what is gone succeeds", async () => {
    const { daemon, busybox } = suite;
    const before = daemon.footprint();
    const pod = await runPod(daemon, "removed");
    const container = await runContainer(daemon, pod, containerConfig(busybox, "main", untilTerminated));
    await daemon.client.call(removePodSandbox, { podSandboxId: pod.id });
    await daemon.client.call(removePodSandbox, { podSandboxId: pod.id });
    await rejects(podStatus(daemon, pod.id), "NOT_FOUND");
    await rejects(containerStatus(daemon, container), "NOT_FOUND");
    await daemon.holdsNoMoreThan(before);
  });

  it("is one pod with one id when the same request comes twice, at once or later", async () => {
    const { daemon } = suite;
    const config = podConfig(daemon, "twice");
    const run = () => daemon.client.call(runPodSandbox, { config });
    const [first, second] = await Promise.all([run(), run()]);
    assert.equal(second.podSandboxId, first.podSandboxId);
    assert.equal((await run()).podSandboxId, first.podSandboxId);
    assert.equal(daemon.footprint().leases.length, 1);
    await removePod(daemon, first.podSandboxId);
  });

  it("is another pod for another attempt", async () => {
    const { daemon } = suite;
    const config = podConfig(daemon, "attempts");
    const first = await daemon.client.call(runPodSandbox, { config });
    await daemon.client.call(stopPodSandbox, { podSandboxId: first.podSandboxId });
    const again = { ...config, metadata: { ...config.metadata, name: "attempts", attempt: 1 } };
    const second = await daemon.client.call(runPodSandbox, { config: again });
    assert.notEqual(second.podSandboxId, first.podSandboxId);
    await removePod(daemon, first.podSandboxId);
    await removePod(daemon, second.podSandboxId);
  });

  it("stays when the client of RunPodSandbox hangs up, and the next equal request gets it", async () => {
    const { daemon } = suite;
    const config = podConfig(daemon, "hang-up");
    const hangUp = AbortSignal.timeout(30);
    await daemon.client.call(runPodSandbox, { config }, { signal: hangUp }).catch(() => {});
    const { podSandboxId } = await daemon.client.call(runPodSandbox, { config });
    const { items } = await daemon.client.call(listPodSandbox, {});
    assert.deepEqual(
      items.map(({ id }) => id),
      [podSandboxId],
    );
    await removePod(daemon, podSandboxId);
  });

  it("pins its namespaces where the configuration says and unpins them when it is stopped", async () => {
    const { daemon } = suite;
    const pod = await runPod(daemon, "pinned");
    const pinned = (): string[] => daemon.footprint().mounts.filter((place) => place.includes(`ns/${pod.id}`));
    assert.equal(pinned().length, 3, pinned().join("\n"));
    assert.ok(pinned().every((place) => existsSync(place)));
    await stopPod(daemon, pod.id);
    assert.deepEqual(pinned(), []);
    await removePod(daemon, pod.id);
  });

  it("stops a container that is just being started, and says so if that was before its start", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "raced");
    for (let attempt = 0; attempt < 6; attempt += 1) {
      const containerId = await createContainer(daemon, pod, containerConfig(busybox, `c${attempt}`, untilTerminated));
      const stop = () => daemon.client.call(RuntimeService.method.stopContainer, { containerId, timeout: 0n });
      const start = () => startContainer(daemon, containerId);
      const calls = attempt % 2 === 0 ? [start(), stop()] : [stop(), start()].toReversed();
      const [started, stopped] = await Promise.allSettled(calls);
      assert.equal(stopped?.status, "fulfilled");
      if (started?.status === "rejected") await rejects(Promise.reject(started.reason), "FAILED_PRECONDITION");
      const { state, exitCode, reason } = await containerStatus(daemon, containerId);
      assert.deepEqual([state, exitCode, reason], [ContainerState.CONTAINER_EXITED, 137, "Error"]);
    }
    await removePod(daemon, pod.id);
  });

  it("ends its containers by the kill signal when they ignore the stop signal", async () => {
    const { daemon, busybox } = suite;
    const pod = await runPod(daemon, "stubborn");
    const stubborn = ["sh", "-c", 'trap "" TERM; echo ready; while true; do sleep 1; done'];
    const id = await runContainer(daemon, pod, containerConfig(busybox, "main", stubborn));
    const { logPath } = await containerStatus(daemon, id);
    await eventually("the trap to be set", () => readFileSync(logPath, "utf8").includes("ready") || undefined);
    await daemon.client.call(RuntimeService.method.stopContainer, { containerId: id, timeout: 1n });
    assert.equal((await exited(daemon, id)).exitCode, 137);
    await rejects(exec(daemon, id, ["true"]), ["NOT_FOUND", "FAILED_PRECONDITION", "UNKNOWN"]);
    await removePod(daemon, pod.id);
  });
});

/** The body of an answer of a server that may need a moment to listen. */
function bodyOf(url: string): Promise<string> {
  return eventually(`${url} to answer`, async () => {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
    return answer?.text();
  });
}
