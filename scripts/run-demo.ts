// The main job from end to end, on a registry and a berth of its own: pull, pod, container, log, exec, stats, stop, remove.
// `run-demo.ts [IMAGE]`. Takes everything away again, also when a step fails or is interrupted.
import { ContainerState, ImageService, RuntimeService, type ContainerStats } from "#cri/gen/runtime/v1/api_pb.ts";
import { CriCallError } from "#cri/client.ts";
import { row as statsRow } from "#cli/ctl/commands/stats.ts";
import { containerStatus } from "#cli/ctl/container-status.ts";
import { followRecords } from "#cli/ctl/log-file.ts";
import { showPull } from "#cli/ctl/pull-progress.ts";
import { table } from "#cli/ctl/table.ts";
import { busyboxConfig, busyboxEntries } from "../test/support/busybox.ts";
import { prepareDaemon, type TestDaemon } from "../test/support/daemon.ts";
import { buildImage } from "../test/support/image-builder.ts";
import { containerConfig, podConfig, type Pod } from "../test/support/pods.ts";
import { startRegistry } from "../test/support/registry.ts";
import { cannotRunPods } from "../test/support/requirements.ts";
import { Timeline } from "./timeline.ts";

const greeting =
  'echo "Hello from pod $(hostname) at $(ip -4 -o addr show eth0 | tr -s " " | cut -d " " -f 4)"; ' +
  'trap "exit 0" TERM; while true; do sleep 1 & wait $!; done';
/** How long a program that says nothing is listened to. */
const silenceMs = 3000;
const interruptedStatus = 130;

const timeline = new Timeline();
const interruption = new AbortController();
const { signal } = interruption;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Runs the job in a scope of its own: whatever way it ends, all that was acquired is given back. */
async function main(wanted: string | undefined): Promise<number> {
  const obstacle = cannotRunPods();
  if (obstacle !== false) throw new Error(`cannot run pods here: ${obstacle}`);
  await using acquired = new AsyncDisposableStack();
  const { image, insecureRegistries } =
    wanted === undefined ? await ownImage(acquired) : { image: wanted, insecureRegistries: [] };
  const daemon = prepareDaemon({ insecureRegistries });
  // Fails the run when the daemon has left something behind.
  acquired.defer(() => timeline.phase("clean up", () => daemon[Symbol.asyncDispose]()));
  signal.throwIfAborted();
  await timeline.phase("start berth", () => daemon.start());
  await pullImage(daemon, image);
  await runPod(daemon, image, wanted === undefined ? ["sh", "-c", greeting] : []);
  return 0;
}

async function ownImage(acquired: AsyncDisposableStack): Promise<{ image: string; insecureRegistries: string[] }> {
  const registry = acquired.use(await timeline.phase("start a registry", () => startRegistry()));
  const image = await timeline.phase("make and push an image", () =>
    registry.push(
      buildImage({
        layers: [{ entries: busyboxEntries() }, { entries: [{ path: "etc/motd", content: "berth\n" }] }],
        config: busyboxConfig,
      }),
      "demo/busybox",
      "latest",
    ),
  );
  return { image, insecureRegistries: [registry.host] };
}

async function pullImage({ client }: TestDaemon, image: string): Promise<void> {
  say(`\nPulling ${image}`);
  const { imageRef } = await timeline.phase("pull the image", () =>
    showPull(client, image, process.stdout, () =>
      client.call(ImageService.method.pullImage, { image: { image } }, { signal, timeoutMs: 0 }),
    ),
  );
  say(`pulled: ${imageRef}`);
}

async function runPod(daemon: TestDaemon, image: string, command: string[]): Promise<void> {
  const { client } = daemon;
  const config = podConfig(daemon, "demo", { hostname: "demo" });
  const { podSandboxId } = await timeline.phase("run the pod", () =>
    client.call(RuntimeService.method.runPodSandbox, { config }, { signal }),
  );
  const { status } = await client.call(RuntimeService.method.podSandboxStatus, { podSandboxId }, { signal });
  say(`\npod ${podSandboxId.slice(0, 13)} is ready at ${status?.network?.ip ?? "no address"}`);
  const containerId = await startContainer(daemon, { id: podSandboxId, config }, image, command);
  await showLog(daemon, containerId);
  await showExec(daemon, containerId);
  await timeline.phase("stats", () => showStats(daemon, containerId));
  await timeline.phase("stop the container", () =>
    client.call(RuntimeService.method.stopContainer, { containerId, timeout: 10n }, { signal }),
  );
  const ended = await containerStatus(client, containerId);
  say(`\nthe container has ended: status ${ended.exitCode}, ${ended.reason}`);
  await timeline.phase("remove the container", () =>
    client.call(RuntimeService.method.removeContainer, { containerId }, { signal }),
  );
  await timeline.phase("stop the pod", () =>
    client.call(RuntimeService.method.stopPodSandbox, { podSandboxId }, { signal }),
  );
  await timeline.phase("remove the pod", () =>
    client.call(RuntimeService.method.removePodSandbox, { podSandboxId }, { signal }),
  );
  await timeline.phase("remove the image", () =>
    client.call(ImageService.method.removeImage, { image: { image } }, { signal }),
  );
}

async function startContainer({ client }: TestDaemon, pod: Pod, image: string, command: string[]): Promise<string> {
  const request = { podSandboxId: pod.id, config: containerConfig(image, "main", command), sandboxConfig: pod.config };
  const { containerId } = await timeline.phase("create the container", () =>
    client.call(RuntimeService.method.createContainer, request, { signal }),
  );
  await timeline.phase("start the container", () =>
    client.call(RuntimeService.method.startContainer, { containerId }, { signal }),
  );
  return containerId;
}

/** The first line that the container writes. */
async function showLog({ client }: TestDaemon, containerId: string): Promise<void> {
  const { logPath } = await containerStatus(client, containerId);
  const silence = AbortSignal.any([signal, AbortSignal.timeout(silenceMs)]);
  const enough = new Promise<void>((resolve) => silence.addEventListener("abort", () => resolve(), { once: true }));
  await timeline.phase("first log line", async () => {
    for await (const { text } of followRecords(logPath, enough)) {
      say(`its log: ${text.trimEnd()}`);
      return;
    }
    say(`its log: nothing in ${silenceMs} ms`);
  });
  signal.throwIfAborted();
}

async function showExec({ client }: TestDaemon, containerId: string): Promise<void> {
  const cmd = ["ps"];
  try {
    const { stdout, exitCode } = await timeline.phase("exec", () =>
      client.call(RuntimeService.method.execSync, { containerId, cmd, timeout: 10n }, { signal }),
    );
    say(`\nexec ${cmd.join(" ")} (status ${exitCode}):\n${Buffer.from(stdout).toString("utf8").trimEnd()}`);
  } catch (error) {
    // An image of somebody else need not have the command, and the program may have ended.
    if (!(error instanceof CriCallError) || signal.aborted) throw error;
    const { state } = await containerStatus(client, containerId);
    const reason = state === ContainerState.CONTAINER_EXITED ? "the container has ended" : error.details;
    say(`\nexec ${cmd.join(" ")}: ${reason}`);
  }
}

async function showStats({ client }: TestDaemon, containerId: string): Promise<void> {
  try {
    const { stats } = await client.call(RuntimeService.method.containerStats, { containerId }, { signal });
    say(`\n${statsTable(stats)}`.trimEnd());
  } catch (error) {
    if (!(error instanceof CriCallError) || error.codeName !== "UNIMPLEMENTED") throw error;
    say("\nstats: this berth does not serve them yet");
  }
}

function statsTable(stats: ContainerStats | undefined): string {
  const titles = ["CONTAINER", "NAME", "CPU TIME", "CPU", "MEMORY", "DISK", "INODES"];
  return table(titles, stats === undefined ? [] : [statsRow(stats)]);
}

function interrupt(): void {
  if (!signal.aborted) say("\ninterrupted: cleaning up");
  interruption.abort(new Error("interrupted"));
}

process.on("SIGINT", interrupt);
process.on("SIGTERM", interrupt);
try {
  process.exitCode = await main(process.argv[2]);
  say(`\nWhere the time went:\n${timeline.draw()}`);
} catch (error) {
  process.exitCode = signal.aborted ? interruptedStatus : 1;
  if (!signal.aborted) process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
}
// The listeners for signals must not keep a finished run alive, nor a connection that a fault left open.
process.removeListener("SIGINT", interrupt);
process.removeListener("SIGTERM", interrupt);
