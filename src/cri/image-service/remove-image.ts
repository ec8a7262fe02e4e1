import type { Handler } from "../call.ts";
import type { ImageService } from "../gen/runtime/v1/api_pb.ts";
import { imageSpecFromWire } from "../translate/image-spec.ts";

export const removeImage: Handler<typeof ImageService.method.removeImage> = async ({ image }, { runtime }) => {
  await runtime.images.remove(imageSpecFromWire(image, "image").image);
  return {};
};
