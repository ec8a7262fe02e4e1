import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { served } from "../served.ts";
import { containerStatsToWire } from "../translate/container-stats.ts";
import { nonEmpty } from "../translate/required.ts";

export const containerStats: Handler<typeof RuntimeService.method.containerStats> = async (
  { containerId },
  { runtime },
) => {
  const stats = await served(runtime.stats, "stats").container(nonEmpty(containerId, "container_id"));
  return { stats: containerStatsToWire(stats) };
};
