import type { MessageInitShape } from "@bufbuild/protobuf";
import type { LayerProgress } from "#domain/image/image.ts";
import { LayerState, type WatchPullResponseSchema } from "../gen/berth/v1/progress_pb.ts";

const layerStates: Readonly<Record<LayerProgress["state"], LayerState>> = {
  waiting: LayerState.WAITING,
  fetching: LayerState.FETCHING,
  done: LayerState.DONE,
  present: LayerState.EXISTS,
};

export function layerProgressToWire(layer: LayerProgress): MessageInitShape<typeof WatchPullResponseSchema> {
  return {
    layer: layer.digest,
    doneBytes: BigInt(layer.doneBytes),
    totalBytes: BigInt(layer.totalBytes),
    state: layerStates[layer.state],
  };
}
