import type { Handler } from "../call.ts";
import type { Progress } from "../gen/berth/v1/progress_pb.ts";
import { layerProgressToWire } from "../translate/layer-progress.ts";
import { nonEmpty } from "../translate/required.ts";

export const watchPull: Handler<typeof Progress.method.watchPull> = async function* ({ image }, { runtime, signal }) {
  for await (const layers of runtime.images.watchPull(nonEmpty(image, "image"), signal)) {
    for (const layer of layers) yield layerProgressToWire(layer);
  }
};
