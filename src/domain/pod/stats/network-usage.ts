import type { InterfaceUsage, NetworkUsage } from "#domain/runtime.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import { nowNs } from "#lib/clock.ts";
import { hasErrno } from "#errors/domain-error.ts";
import type { StatsDrivers } from "./stats-drivers.ts";

/** Counters of one line of /proc/net/dev. */
export interface InterfaceCounters extends InterfaceUsage {
  rxPackets: number;
  rxDropped: number;
  txPackets: number;
  txDropped: number;
}

/** Name that CNI plugins are asked to give to the pod's own interface; the kubelet reads the pod's traffic from it. */
const podInterface = "eth0";

/** What went through a pod's interfaces, without the loopback; undefined with host network or when its namespace is gone. */
export async function networkCounters(
  drivers: Pick<StatsDrivers, "readInNetns">,
  sandbox: Sandbox,
): Promise<InterfaceCounters[] | undefined> {
  const { net } = sandbox.namespaces;
  if (net === undefined) return undefined;
  try {
    return parseNetDev(await drivers.readInNetns(net, "/proc/thread-self/net/dev"));
  } catch (error) {
    if (hasErrno(error, "ENOENT", "EINVAL")) return undefined;
    throw error;
  }
}

export function networkUsage(counters: readonly InterfaceCounters[]): NetworkUsage {
  const own = counters.find(({ name }) => name === podInterface) ?? counters[0];
  return {
    timestampNs: BigInt(nowNs()),
    defaultInterface: own,
    interfaces: counters.filter((one) => one !== own),
  };
}

/** The format of proc_pid_net(5): two lines of headings, then a name and sixteen counters, half received and half sent. */
function parseNetDev(text: string): InterfaceCounters[] {
  return text.split("\n").flatMap((line) => {
    const colon = line.lastIndexOf(":");
    const name = line.slice(0, Math.max(0, colon)).trim();
    const counters = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    if (name === "" || name === "lo" || counters.length < 16 || counters.some(Number.isNaN)) return [];
    const [rxBytes = 0, rxPackets = 0, rxErrors = 0, rxDropped = 0] = counters;
    const [txBytes = 0, txPackets = 0, txErrors = 0, txDropped = 0] = counters.slice(8);
    return { name, rxBytes, rxPackets, rxErrors, rxDropped, txBytes, txPackets, txErrors, txDropped };
  });
}
