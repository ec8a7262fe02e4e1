import type { Handler } from "../call.ts";
import { encode, EncodedMessage } from "../encoded-message.ts";
import { ImageStatusResponseSchema, type ImageService } from "../gen/runtime/v1/api_pb.ts";
import { imageItems } from "../items.ts";
import { imageSpecFromWire } from "../translate/image-spec.ts";
import { imageInfo } from "../translate/image.ts";

export const imageStatus: Handler<typeof ImageService.method.imageStatus> = (request, { runtime }) => {
  const image = runtime.images.find(imageSpecFromWire(request.image, "image").image);
  // CRI: an image that is not there is an answer without an image, not an error.
  if (image === undefined) return {};
  return EncodedMessage.of(ImageStatusResponseSchema, [
    ...imageItems.inField(ImageStatusResponseSchema.field.image, [image]),
    encode(ImageStatusResponseSchema, { info: request.verbose ? imageInfo(image) : {} }),
  ]);
};
