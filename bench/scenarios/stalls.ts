import { setTimeout as pause } from "node:timers/promises";
import { ImageService, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import type { Daemon } from "../daemons/daemon.ts";
import { BulkLayer } from "../images/bulk-layer.ts";
import { imageOf } from "../images/images.ts";
import { timedMs } from "../measure/timed.ts";
import { removePods, startPod, type Pod } from "../pods.ts";
import { eachDaemon, figuresOf, standAll, type Bench, type Scenario } from "./scenario.ts";

const name = "stalls";
const podStarts = 8;
const askEveryMs = 5;

interface StallSizes extends Record<string, number> {
  files: number;
  megabytes: number;
  rounds: number;
}

/** Whether a daemon still answers while it pulls an image and starts pods. */
export const stalls: Scenario<StallSizes> = {
  name,
  about: "a pull of one layer and eight pod starts at the same time, while Version is asked all the time",
  quick: { files: 3000, megabytes: 58, rounds: 1 },
  full: { files: 15_000, megabytes: 290, rounds: 3 },

  async run(bench, { files, megabytes, rounds }) {
    await standAll(bench, name, 0);
    const layer = new BulkLayer({ files, unpackedBytes: megabytes * 1e6 });
    await eachDaemon(bench, name, rounds, async ({ daemon }, round) => {
      const image = imageOf([await layer.fresh("gzip")]);
      const reference = await bench.registry.push(image, "bench/stalls", `${daemon.name}${round}`);
      await measure(bench, daemon, reference);
    });
  },
};

async function measure(bench: Bench, daemon: Daemon, image: string): Promise<void> {
  const { client, own } = daemon;
  const add = figuresOf(bench, name);
  // Reading it begins a new period.
  await longestEventLoopDelayMs(own?.metricsUrl);
  const pods: Pod[] = [];
  const done = new AbortController();
  const work = Promise.all([
    client.call(ImageService.method.pullImage, { image: { image } }),
    ...Array.from({ length: podStarts }, async () => {
      pods.push((await startPod(daemon, bench.images.service)).pod);
    }),
  ]).finally(() => {
    done.abort();
  });
  const answers: number[] = [];
  while (!done.signal.aborted) {
    answers.push(await timedMs(() => client.call(RuntimeService.method.version, {})));
    await pause(askEveryMs);
  }
  await work;
  const stallMs = await longestEventLoopDelayMs(own?.metricsUrl);
  await removePods(daemon, pods);
  await client.call(ImageService.method.removeImage, { image: { image } });
  for (const ms of answers) add("Version meanwhile", "ms", daemon.name, ms);
  add("longest Version meanwhile", "ms", daemon.name, Math.max(...answers));
  if (stallMs !== undefined) add("longest event-loop delay", "ms", daemon.name, stallMs);
}

/** The longest since the last time it was read, as berth tells by its metrics; `undefined` for one that does not. */
async function longestEventLoopDelayMs(metricsUrl: string | undefined): Promise<number | undefined> {
  if (metricsUrl === undefined) return undefined;
  const answer = await fetch(metricsUrl).catch(() => undefined);
  const text = (await answer?.text()) ?? "";
  const seconds = /^berth_event_loop_delay_seconds\{quantile="1"\} (\S+)$/m.exec(text)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
