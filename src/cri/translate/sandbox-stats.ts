import type { MessageInitShape } from "@bufbuild/protobuf";
import type { SandboxStats } from "#domain/runtime.ts";
import type { PodSandboxStatsSchema } from "../gen/runtime/v1/api_pb.ts";
import { containerStatsToWire } from "./container-stats.ts";
import { cpuToWire, ioToWire, memoryToWire, networkToWire } from "./usage.ts";

export function sandboxStatsToWire(stats: SandboxStats): MessageInitShape<typeof PodSandboxStatsSchema> {
  const { sandbox, cpu, memory, io, network, processes } = stats;
  const { metadata, labels, annotations } = sandbox.request;
  return {
    attributes: { id: sandbox.id, metadata, labels, annotations },
    linux: {
      cpu: cpu && cpuToWire(cpu),
      memory: memory && memoryToWire(memory),
      io: io && ioToWire(io),
      network: network && networkToWire(network),
      process: processes && { timestamp: processes.timestampNs, processCount: { value: BigInt(processes.count) } },
      containers: stats.containers.map(containerStatsToWire),
    },
  };
}
