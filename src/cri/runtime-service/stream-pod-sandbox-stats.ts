import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { batches } from "../batches.ts";
import { served } from "../served.ts";
import { sandboxStatsFilterFromWire } from "../translate/filters.ts";
import { sandboxStatsToWire } from "../translate/sandbox-stats.ts";

export const streamPodSandboxStats: Handler<typeof RuntimeService.method.streamPodSandboxStats> = async function* (
  { filter },
  { runtime },
) {
  const stats = await served(runtime.stats, "stats").listSandboxes(sandboxStatsFilterFromWire(filter));
  for (const batch of batches(stats)) yield { podSandboxStats: batch.map(sandboxStatsToWire) };
};
