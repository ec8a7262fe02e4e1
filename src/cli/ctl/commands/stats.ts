import { ListContainerStatsResponseSchema, RuntimeService, type ContainerStats } from "#cri/gen/runtime/v1/api_pb.ts";
import { findContainer } from "../find.ts";
import { bytes, elapsed, shortId } from "../readable.ts";
import { printJson, type Subcommand } from "../subcommand.ts";
import { table } from "../table.ts";

export const stats: Subcommand = {
  name: "stats",
  summary: "Shows what containers use.",
  operands: "[CONTAINER]",
  minOperands: 0,
  maxOperands: 1,
  options: {},
  async run({ client, operands, json, stdout }) {
    const [written] = operands;
    const filter = written === undefined ? {} : { id: (await findContainer(client, written)).id };
    const answer = await client.call(RuntimeService.method.listContainerStats, { filter });
    if (json) printJson(stdout, ListContainerStatsResponseSchema, answer);
    else
      stdout.write(table(["CONTAINER", "NAME", "CPU TIME", "CPU", "MEMORY", "DISK", "INODES"], answer.stats.map(row)));
    return 0;
  },
};

/** One container's line; `-` for what the runtime does not say. */
export function row({ attributes, cpu, memory, writableLayer }: ContainerStats): string[] {
  const cpuTimeNs = cpu?.usageCoreNanoSeconds?.value;
  const nanoCores = cpu?.usageNanoCores?.value;
  const workingSetBytes = memory?.workingSetBytes?.value;
  const diskBytes = writableLayer?.usedBytes?.value;
  return [
    shortId(attributes?.id ?? ""),
    attributes?.metadata?.name ?? "",
    cpuTimeNs === undefined ? "-" : elapsed(Number(cpuTimeNs) / 1e6),
    nanoCores === undefined ? "-" : `${(Number(nanoCores) / 1e7).toFixed(1)}%`,
    workingSetBytes === undefined ? "-" : bytes(workingSetBytes),
    diskBytes === undefined ? "-" : bytes(diskBytes),
    writableLayer?.inodesUsed === undefined ? "-" : String(writableLayer.inodesUsed.value),
  ];
}
