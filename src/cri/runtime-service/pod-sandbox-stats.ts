import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { served } from "../served.ts";
import { nonEmpty } from "../translate/required.ts";
import { sandboxStatsToWire } from "../translate/sandbox-stats.ts";

export const podSandboxStats: Handler<typeof RuntimeService.method.podSandboxStats> = async (
  { podSandboxId },
  { runtime },
) => {
  const stats = await served(runtime.stats, "stats").sandbox(nonEmpty(podSandboxId, "pod_sandbox_id"));
  return { stats: sandboxStatsToWire(stats) };
};
