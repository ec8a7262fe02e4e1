import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { batches } from "../batches.ts";
import { served } from "../served.ts";
import { containerStatsToWire } from "../translate/container-stats.ts";
import { containerStatsFilterFromWire } from "../translate/filters.ts";

export const streamContainerStats: Handler<typeof RuntimeService.method.streamContainerStats> = async function* (
  { filter },
  { runtime },
) {
  const stats = await served(runtime.stats, "stats").listContainers(containerStatsFilterFromWire(filter));
  for (const batch of batches(stats)) yield { containerStats: batch.map(containerStatsToWire) };
};
