import type { Handler } from "../call.ts";
import { type ImageService, ListImagesResponseSchema } from "../gen/runtime/v1/api_pb.ts";
import { imageItems } from "../items.ts";
import { imageFilterFromWire } from "../translate/image.ts";

export const listImages: Handler<typeof ImageService.method.listImages> = ({ filter }, { runtime }) =>
  imageItems.list(ListImagesResponseSchema, runtime.images.list(imageFilterFromWire(filter)));
