import assert from "node:assert/strict";
import { copyFileSync, readdirSync, utimesSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { TestDaemon } from "../support/daemon.ts";
import { cannotRunPods } from "../support/requirements.ts";
import { useDaemon } from "../support/fixture.ts";
import { ImpatientNode, randomNumbers } from "../support/impatient-node.ts";

const durationMs = Number(process.env["BERTH_CHAOS_SECONDS"] ?? 40) * 1000;
const seed = Number(process.env["BERTH_CHAOS_SEED"] ?? Date.now() % 1_000_000);
const podsAtOnce = 10;
const longestLifeMs = 8000;
const longestStartMs = 600;

describe(
  "a node whose kubelet has no patience and whose daemon is killed again and again",
  { skip: cannotRunPods() },
  () => {
    const suite = useDaemon();

    it("tells the truth all the time, and keeps nothing", { timeout: durationMs + 180_000 }, async (context) => {
      const { daemon, registry, busybox } = suite;
      context.diagnostic(`the same again: BERTH_CHAOS_SEED=${seed}`);
      const before = daemon.footprint();
      const over = AbortSignal.timeout(durationMs);
      const random = randomNumbers(seed);
      const node = new ImpatientNode(daemon, registry, busybox, random);

      const work = [node.pullsUntil(over), ...Array.from({ length: podsAtOnce }, () => node.podsUntil(over))];
      const killed = killUntil(over, daemon, random);
      const results = await Promise.allSettled([...work, killed]);

      const failures = results.flatMap((result) => (result.status === "rejected" ? [String(result.reason)] : []));
      context.diagnostic(`${node.told()}; killed ${await killed.catch(() => 0)} times`);
      const log = process.env["BERTH_CHAOS_LOG"];
      if (log !== undefined) copyFileSync(daemon.places.daemonLog, log);
      assert.deepEqual(failures, []);
      assert.ok(node.pods > 0 && node.images > 0, "nothing was done");
      ageHalfWritten(daemon);
      await daemon.restart("SIGTERM");
      await daemon.holdsNoMoreThan(before);
    });
  },
);

/** Where other runtimes may be writing too, only what is old is swept by the next start. */
function ageHalfWritten(daemon: TestDaemon): void {
  const directory = path.join(daemon.places.root, "cni");
  for (const name of readdirSync(directory)) if (name.endsWith(".tmp")) utimesSync(path.join(directory, name), 0, 0);
}

/** Kills the daemon at any time, now and then already while it starts; gives how often. */
async function killUntil(over: AbortSignal, daemon: TestDaemon, random: () => number): Promise<number> {
  const lives = async (longestMs: number): Promise<boolean> =>
    pause(random() * longestMs, true, { signal: over }).catch(() => false);
  let count = 0;
  while (await lives(longestLifeMs)) {
    await daemon.kill();
    count += 1;
    while (random() < 0.3) {
      daemon.launch();
      await lives(longestStartMs);
      await daemon.kill();
      count += 1;
    }
    await daemon.start();
  }
  return count;
}
