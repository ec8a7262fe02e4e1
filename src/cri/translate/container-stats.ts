import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ContainerStats } from "#domain/runtime.ts";
import type { ContainerStatsSchema } from "../gen/runtime/v1/api_pb.ts";
import { filesystemUsageToWire } from "./filesystem.ts";
import { cpuToWire, ioToWire, memoryToWire, swapToWire } from "./usage.ts";

export function containerStatsToWire(stats: ContainerStats): MessageInitShape<typeof ContainerStatsSchema> {
  const { container, cpu, memory, swap, io, writableLayer } = stats;
  const { metadata, labels, annotations } = container.request;
  return {
    attributes: { id: container.id, metadata, labels, annotations },
    cpu: cpu && cpuToWire(cpu),
    memory: memory && memoryToWire(memory),
    swap: swap && swapToWire(swap),
    io: io && ioToWire(io),
    writableLayer: writableLayer && filesystemUsageToWire(writableLayer.timestampNs, writableLayer),
  };
}
