import type { Handler } from "../call.ts";
import type { ImageService } from "../gen/runtime/v1/api_pb.ts";
import { pullRequestFromWire } from "../translate/image.ts";

export const pullImage: Handler<typeof ImageService.method.pullImage> = async (request, { runtime }) => ({
  imageRef: await runtime.images.pull(pullRequestFromWire(request)),
});
