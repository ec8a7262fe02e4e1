import type { MessageInitShape } from "@bufbuild/protobuf";
import type { FilesystemUsageSchema } from "../gen/runtime/v1/api_pb.ts";

/** FilesystemUsage of images, writable layers and the like. */
export function filesystemUsageToWire(
  timestampNs: bigint,
  usage: { mountpoint: string; usedBytes: number; inodesUsed: number },
): MessageInitShape<typeof FilesystemUsageSchema> {
  return {
    timestamp: timestampNs,
    fsId: { mountpoint: usage.mountpoint },
    usedBytes: { value: BigInt(usage.usedBytes) },
    inodesUsed: { value: BigInt(usage.inodesUsed) },
  };
}
