import type { Handler } from "../call.ts";
import { type ImageService, StreamImagesResponseSchema } from "../gen/runtime/v1/api_pb.ts";
import { imageItems } from "../items.ts";
import { imageFilterFromWire } from "../translate/image.ts";

export const streamImages: Handler<typeof ImageService.method.streamImages> = ({ filter }, { runtime }) =>
  imageItems.batches(StreamImagesResponseSchema, runtime.images.list(imageFilterFromWire(filter)));
