import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { served } from "../served.ts";
import { sandboxStatsFilterFromWire } from "../translate/filters.ts";
import { sandboxStatsToWire } from "../translate/sandbox-stats.ts";

export const listPodSandboxStats: Handler<typeof RuntimeService.method.listPodSandboxStats> = async (
  { filter },
  { runtime },
) => {
  const stats = await served(runtime.stats, "stats").listSandboxes(sandboxStatsFilterFromWire(filter));
  return { stats: stats.map(sandboxStatsToWire) };
};
