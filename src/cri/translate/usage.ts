import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CpuUsage, IoUsage, MemoryUsage, NetworkUsage, SwapUsage } from "#domain/runtime.ts";
import type { Pressure, PressureLine } from "#spec/pressure.ts";
import type {
  CpuUsageSchema,
  IoUsageSchema,
  MemoryUsageSchema,
  NetworkInterfaceUsageSchema,
  NetworkUsageSchema,
  PsiDataSchema,
  PsiStatsSchema,
  SwapUsageSchema,
  UInt64ValueSchema,
} from "../gen/runtime/v1/api_pb.ts";

// Usage of CPU, memory and the like. Translators of optional parts take undefined for a part that is not known.

/** UInt64Value; what is not known is left out, what a race made negative is 0. */
function count(value: number | bigint | undefined): MessageInitShape<typeof UInt64ValueSchema> | undefined {
  if (value === undefined) return undefined;
  const whole = typeof value === "bigint" ? value : BigInt(Math.trunc(value));
  return { value: whole < 0n ? 0n : whole };
}

export function cpuToWire(usage: CpuUsage): MessageInitShape<typeof CpuUsageSchema> {
  return {
    timestamp: usage.timestampNs,
    usageCoreNanoSeconds: count(usage.usageCoreNanoSeconds),
    usageNanoCores: count(usage.usageNanoCores),
    psi: usage.pressure && pressureToWire(usage.pressure),
  };
}

export function memoryToWire(usage: MemoryUsage): MessageInitShape<typeof MemoryUsageSchema> {
  return {
    timestamp: usage.timestampNs,
    workingSetBytes: count(usage.workingSetBytes),
    availableBytes: count(usage.availableBytes),
    usageBytes: count(usage.usageBytes),
    rssBytes: count(usage.rssBytes),
    pageFaults: count(usage.pageFaults),
    majorPageFaults: count(usage.majorPageFaults),
    psi: usage.pressure && pressureToWire(usage.pressure),
  };
}

export function swapToWire(usage: SwapUsage): MessageInitShape<typeof SwapUsageSchema> {
  return {
    timestamp: usage.timestampNs,
    swapAvailableBytes: count(usage.availableBytes),
    swapUsageBytes: count(usage.usageBytes),
  };
}

export function ioToWire(usage: IoUsage): MessageInitShape<typeof IoUsageSchema> {
  return { timestamp: usage.timestampNs, psi: usage.pressure && pressureToWire(usage.pressure) };
}

export function networkToWire(usage: NetworkUsage): MessageInitShape<typeof NetworkUsageSchema> {
  return {
    timestamp: usage.timestampNs,
    defaultInterface: usage.defaultInterface && interfaceToWire(usage.defaultInterface),
    interfaces: usage.interfaces.map(interfaceToWire),
  };
}

function interfaceToWire(
  usage: NetworkUsage["interfaces"][number],
): MessageInitShape<typeof NetworkInterfaceUsageSchema> {
  return {
    name: usage.name,
    rxBytes: count(usage.rxBytes),
    rxErrors: count(usage.rxErrors),
    txBytes: count(usage.txBytes),
    txErrors: count(usage.txErrors),
  };
}

function pressureToWire({ full, some }: Pressure): MessageInitShape<typeof PsiStatsSchema> {
  return { Full: pressureLineToWire(full), Some: pressureLineToWire(some) };
}

/** The kernel's microseconds go out as they are, as cAdvisor and containerd do, which the CRI calls nanoseconds. */
function pressureLineToWire(line: PressureLine): MessageInitShape<typeof PsiDataSchema> {
  return { Total: BigInt(line.totalUs), Avg10: line.avg10, Avg60: line.avg60, Avg300: line.avg300 };
}
