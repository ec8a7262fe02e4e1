import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { served } from "../served.ts";
import { containerStatsToWire } from "../translate/container-stats.ts";
import { containerStatsFilterFromWire } from "../translate/filters.ts";

export const listContainerStats: Handler<typeof RuntimeService.method.listContainerStats> = async (
  { filter },
  { runtime },
) => {
  const stats = await served(runtime.stats, "stats").listContainers(containerStatsFilterFromWire(filter));
  return { stats: stats.map(containerStatsToWire) };
};
