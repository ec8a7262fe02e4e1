import { ContainerState, PodSandboxState, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import type { OwnDaemon } from "../daemons/daemon.ts";
import type { Pod } from "../pods.ts";
import { eachDaemon, figuresOf, standAll, type Contestant, type Scenario } from "./scenario.ts";

const name = "restart";
const lookAgainMs = 5;
const giveUpMs = 120_000;
const { method } = RuntimeService;

/**
 * A daemon that is killed and started again with many pods, one of which has ended in the meantime: until it answers, and until
 * its lists say what is true.
 */
export const restart: Scenario<{ pods: number; rounds: number }> = {
  name,
  about: "kill and start of the daemon with many pods, one of which ends while it is away",
  quick: { pods: 10, rounds: 2 },
  full: { pods: 200, rounds: 3 },

  async run(bench, { pods, rounds }) {
    await standAll(bench, name, pods);
    await eachDaemon(bench, name, rounds, async (contestant, round) => {
      const { own } = contestant.daemon;
      const victim = contestant.standing.pods[round];
      if (own === undefined || victim === undefined) return;
      const { versionMs, statesMs } = await measure(own, contestant, victim, round + 1);
      const add = figuresOf(bench, name);
      add("until the first Version", "ms", own.name, versionMs);
      add(`until the states of ${pods} pods are right`, "ms", own.name, statesMs);
    });
    await standAll(bench, name, 0);
  },
};

async function measure(
  daemon: OwnDaemon,
  { standing }: Contestant,
  victim: Pod,
  endedCount: number,
): Promise<{ versionMs: number; statesMs: number }> {
  const pid = await processOf(daemon, victim.containerId);
  await daemon.stop("SIGKILL");
  process.kill(pid, "SIGKILL");
  const startedMs = performance.now();
  await daemon.launch();
  await until(daemon, async () => {
    await daemon.client.call(method.version, {}, { timeoutMs: 1000 });
    return true;
  });
  const versionMs = performance.now() - startedMs;
  await until(daemon, () => statesAreRight(daemon, standing.pods.length, endedCount));
  return { versionMs, statesMs: performance.now() - startedMs };
}

/** All three tell the process of a container in the verbose part of its status. */
async function processOf(daemon: OwnDaemon, containerId: string): Promise<number> {
  const { info } = await daemon.client.call(method.containerStatus, { containerId, verbose: true });
  const { pid } = JSON.parse(info["info"] ?? "{}") as { pid?: number };
  if (pid === undefined || pid <= 1)
    throw new Error(`${daemon.name} does not tell the process of container ${containerId}`);
  return pid;
}

async function statesAreRight(daemon: OwnDaemon, podCount: number, endedCount: number): Promise<boolean> {
  const [pods, containers] = await Promise.all([
    daemon.client.call(method.listPodSandbox, {}),
    daemon.client.call(method.listContainers, {}),
  ]);
  const ready = pods.items.filter(({ state }) => state === PodSandboxState.SANDBOX_READY).length;
  const running = containers.containers.filter(({ state }) => state === ContainerState.CONTAINER_RUNNING).length;
  const ended = containers.containers.filter(({ state }) => state === ContainerState.CONTAINER_EXITED).length;
  return ready === podCount && running === podCount - endedCount && ended === endedCount;
}

/** Asks until the answer is yes; a daemon that does not listen yet is asked again. */
async function until(daemon: OwnDaemon, ask: () => Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + giveUpMs;
  for (;;) {
    const answer = await ask().catch(() => false);
    if (answer) return;
    if (Date.now() > giveUpAt) throw new Error(`${daemon.name} is not back after ${giveUpMs} ms:\n${daemon.logTail()}`);
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  }
}
