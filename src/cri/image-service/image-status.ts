import type { Handler } from "../call.ts";
import type { ImageService } from "../gen/runtime/v1/api_pb.ts";
import { imageSpecFromWire } from "../translate/image-spec.ts";
import { imageInfo, imageToWire } from "../translate/image.ts";

export const imageStatus: Handler<typeof ImageService.method.imageStatus> = (request, { runtime }) => {
  const image = runtime.images.find(imageSpecFromWire(request.image, "image").image);
  // CRI: an image that is not there is an answer without an image, not an error.
  if (image === undefined) return {};
  return { image: imageToWire(image), info: request.verbose ? imageInfo(image) : {} };
};
