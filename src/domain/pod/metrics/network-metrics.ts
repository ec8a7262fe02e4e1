import type { InterfaceCounters } from "../stats/network-usage.ts";
import { metricsOf } from "./definition.ts";
import type { Sample } from "./definition.ts";

type PodFacts = readonly InterfaceCounters[];

const { labelledCounter } = metricsOf<PodFacts>();

function perInterface(counter: Exclude<keyof InterfaceCounters, "name">) {
  return (interfaces: PodFacts): Sample[] => interfaces.map((one) => ({ value: one[counter], labels: [one.name] }));
}

const keys = ["interface"];

/** Of pods: containers share their pod's interfaces. */
export const networkMetrics = [
  labelledCounter("network_receive_bytes_total", "Bytes received.", keys, perInterface("rxBytes")),
  labelledCounter("network_receive_packets_total", "Packets received.", keys, perInterface("rxPackets")),
  labelledCounter(
    "network_receive_packets_dropped_total",
    "Packets dropped while receiving.",
    keys,
    perInterface("rxDropped"),
  ),
  labelledCounter("network_receive_errors_total", "Errors while receiving.", keys, perInterface("rxErrors")),
  labelledCounter("network_transmit_bytes_total", "Bytes sent.", keys, perInterface("txBytes")),
  labelledCounter("network_transmit_packets_total", "Packets sent.", keys, perInterface("txPackets")),
  labelledCounter(
    "network_transmit_packets_dropped_total",
    "Packets dropped while sending.",
    keys,
    perInterface("txDropped"),
  ),
  labelledCounter("network_transmit_errors_total", "Errors while sending.", keys, perInterface("txErrors")),
];
