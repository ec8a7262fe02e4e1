import { createReadStream } from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { helperPids } from "../measure/memory.ts";
import { ProcessorClock, processCpuMs } from "../measure/processor-time.ts";
import type { Daemon } from "../daemons/daemon.ts";
import { removePods, serviceScript, startPod } from "../pods.ts";
import { eachDaemon, figuresOf, standAll, type Bench, type Scenario } from "./scenario.ts";

const name = "logs";
const newline = 10;
/** A line as long as those of many services. */
const line = "2026-01-01T00:00:00Z INFO request served method=GET path=/healthz status=200 duration=1.2ms bytes=2";

/** A container that writes as fast as it is read. */
export const logs: Scenario<{ seconds: number; rounds: number }> = {
  name,
  about: "a container writes lines as fast as it can: lines in its log, processor time of the daemon and the monitor",
  quick: { seconds: 3, rounds: 1 },
  full: { seconds: 10, rounds: 3 },

  async run(bench, { seconds, rounds }) {
    await standAll(bench, name, 0);
    await eachDaemon(bench, name, rounds, ({ daemon }) => measure(bench, daemon, seconds));
  },
};

async function measure(bench: Bench, daemon: Daemon, seconds: number): Promise<void> {
  // The shell stays, so that the monitor can be asked for its processor time after the writer has ended.
  const command = ["sh", "-c", `timeout ${seconds} yes '${line}'; ${serviceScript}`];
  const clock = new ProcessorClock(daemon.pid);
  const cpuBefore = clock.elapsedMs();
  const { pod } = await startPod(daemon, bench.images.service, command);
  try {
    await pause(seconds * 1000 + 1000, undefined, { signal: bench.signal });
    const daemonMs = clock.elapsedMs() - cpuBefore;
    const helpersMs = helperPids(daemon).reduce((sum, pid) => sum + processCpuMs(pid), 0);
    const lines = await countLines(path.join(String(pod.config.logDirectory), "main/0.log"));
    const add = figuresOf(bench, name);
    add("lines per second", "per second", daemon.name, lines / seconds);
    add("daemon's processor time per million lines", "ms CPU", daemon.name, (daemonMs * 1e6) / lines);
    add(
      "daemon's and helpers' processor time per million lines",
      "ms CPU",
      daemon.name,
      ((daemonMs + helpersMs) * 1e6) / lines,
    );
  } finally {
    await removePods(daemon, [pod]);
  }
}

async function countLines(file: string): Promise<number> {
  let count = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    const bytes = chunk as Buffer;
    for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) count += 1;
  }
  return count;
}
