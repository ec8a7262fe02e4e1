import type { Handler } from "../call.ts";
import type { RuntimeService } from "../gen/runtime/v1/api_pb.ts";
import { served } from "../served.ts";
import { metricDescriptorToWire } from "../translate/metrics.ts";

export const listMetricDescriptors: Handler<typeof RuntimeService.method.listMetricDescriptors> = (
  _request,
  { runtime },
) => {
  const descriptors = served(runtime.stats, "metrics").metricDescriptors();
  return { descriptors: descriptors.map(metricDescriptorToWire) };
};
