import { RuntimeService, ImageService } from "#cri/gen/runtime/v1/api_pb.ts";
import type { Daemon } from "../daemons/daemon.ts";
import { inParallel } from "../measure/in-parallel.ts";
import { ProcessorClock } from "../measure/processor-time.ts";
import { timedMs } from "../measure/timed.ts";
import { addContainer } from "../pods.ts";
import { eachDaemon, figuresOf, standAll, type Bench, type Contestant, type Scenario } from "./scenario.ts";

const name = "lists";
const startsAtOnce = 4;
const { method } = RuntimeService;

/** What a kubelet asks all the time, on a full node: of daemons that have been asked for some minutes, as by a kubelet each second. */
export const lists: Scenario<{ pods: number; containers: number; warmUps: number; rounds: number; perRound: number }> =
  {
    name,
    about: "lists and status with many running containers: latency at the client, processor time of the daemon",
    quick: { pods: 5, containers: 50, warmUps: 100, rounds: 3, perRound: 20 },
    full: { pods: 50, containers: 500, warmUps: 300, rounds: 10, perRound: 40 },

    async run(bench, { pods, containers, warmUps, rounds, perRound }) {
      await standAll(bench, name, pods);
      const idsOf = new Map<Daemon, string[]>();
      bench.progress(`${name}: ${containers} containers in each daemon`);
      await eachDaemon(bench, name, 1, async (contestant) => {
        idsOf.set(contestant.daemon, await fill(bench, contestant, containers, pods));
      });
      const callsOf = ({ daemon, standing }: Contestant): Calls => {
        const podIds = standing.pods.map(({ id }) => id);
        return callsOn(daemon, containers, podIds, idsOf.get(daemon) ?? []);
      };
      await eachDaemon(bench, name, 1, async (contestant) => {
        for (const [, call] of callsOf(contestant)) for (let index = 0; index < warmUps; index += 1) await call(index);
      });
      await eachDaemon(bench, name, rounds, async (contestant) => {
        for (const [title, call] of callsOf(contestant)) await measure(bench, contestant.daemon, title, call, perRound);
      });
      // Pods go with their containers.
      await standAll(bench, name, 0);
    },
  };

/** Adds containers, one is in each pod already; gives back the ids of all. */
async function fill(
  bench: Bench,
  { daemon, standing }: Contestant,
  containers: number,
  pods: number,
): Promise<string[]> {
  const ids = standing.pods.map(({ containerId }) => containerId);
  await inParallel(containers - pods, startsAtOnce, async (index) => {
    bench.signal.throwIfAborted();
    const pod = standing.pods[index % pods];
    if (pod !== undefined) ids.push(await addContainer(daemon, pod, bench.images.service, `more-${index}`));
  });
  return ids;
}

type Calls = [title: string, call: (index: number) => Promise<unknown>][];

function callsOn(
  { client }: Daemon,
  containers: number,
  podIds: readonly string[],
  containerIds: readonly string[],
): Calls {
  const one = (ids: readonly string[], index: number): string => ids[index % ids.length] ?? "";
  return [
    [`ListContainers of ${containers}`, () => client.call(method.listContainers, {})],
    [`ListPodSandbox of ${podIds.length}`, () => client.call(method.listPodSandbox, {})],
    ["ContainerStatus", (index) => client.call(method.containerStatus, { containerId: one(containerIds, index) })],
    ["PodSandboxStatus", (index) => client.call(method.podSandboxStatus, { podSandboxId: one(podIds, index) })],
    ["ListImages", () => client.call(ImageService.method.listImages, {})],
    ["Version", () => client.call(method.version, {})],
  ];
}

async function measure(
  bench: Bench,
  daemon: Daemon,
  title: string,
  call: (index: number) => Promise<unknown>,
  count: number,
): Promise<void> {
  const add = figuresOf(bench, name);
  await call(0);
  const clock = new ProcessorClock(daemon.pid);
  const cpuBefore = clock.elapsedMs();
  for (let index = 0; index < count; index += 1) {
    bench.signal.throwIfAborted();
    add(title, "ms", daemon.name, await timedMs(() => call(index)));
  }
  add(`${title}: daemon's processor time`, "ms CPU", daemon.name, (clock.elapsedMs() - cpuBefore) / count);
}
