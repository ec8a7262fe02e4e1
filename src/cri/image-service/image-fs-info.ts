import type { Handler } from "../call.ts";
import type { ImageService } from "../gen/runtime/v1/api_pb.ts";
import { filesystemUsageToWire } from "../translate/filesystem.ts";

export const imageFsInfo: Handler<typeof ImageService.method.imageFsInfo> = async (_request, { runtime }) => {
  const { timestampNs, imageFs, containerFs } = await runtime.images.fsInfo();
  return {
    imageFilesystems: imageFs.map((usage) => filesystemUsageToWire(timestampNs, usage)),
    containerFilesystems: containerFs.map((usage) => filesystemUsageToWire(timestampNs, usage)),
  };
};
