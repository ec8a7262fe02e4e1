import type { CgroupIoDevice } from "#drivers/cgroup/usage.ts";
import type { ContainerFacts } from "./container-facts.ts";
import { metricsOf } from "./definition.ts";
import type { Sample } from "./definition.ts";

const { gauge, labelledCounter } = metricsOf<ContainerFacts>();

export const diskMetrics = [
  gauge(
    "fs_inodes_free",
    "Free inodes of the file system of the writable layer.",
    ({ filesystem }) => filesystem?.inodesFree,
  ),
  gauge(
    "fs_inodes_total",
    "Inodes of the file system of the writable layer.",
    ({ filesystem }) => filesystem?.inodesTotal,
  ),
  gauge("fs_limit_bytes", "Size of the file system of the writable layer.", ({ filesystem }) => filesystem?.totalBytes),
  gauge("fs_usage_bytes", "Bytes used by the writable layer.", ({ layer }) => layer?.usedBytes),
];

function perDevice(counter: "readBytes" | "writtenBytes" | "reads" | "writes") {
  return ({ usage }: ContainerFacts): Sample[] =>
    (usage?.io ?? []).map((device) => ({ value: device[counter], labels: [deviceLabel(device)] }));
}

function deviceLabel({ major, minor }: CgroupIoDevice): string {
  return `${major}:${minor}`;
}

export const diskIoMetrics = [
  labelledCounter("fs_reads_bytes_total", "Bytes read from disks.", ["device"], perDevice("readBytes")),
  labelledCounter("fs_reads_total", "Reads from disks.", ["device"], perDevice("reads")),
  labelledCounter("fs_writes_bytes_total", "Bytes written to disks.", ["device"], perDevice("writtenBytes")),
  labelledCounter("fs_writes_total", "Writes to disks.", ["device"], perDevice("writes")),
  labelledCounter(
    "blkio_device_usage_total",
    "Bytes read from and written to disks, by operation.",
    ["device", "major", "minor", "operation"],
    ({ usage }) =>
      (usage?.io ?? []).flatMap((device) => {
        const labels = [deviceLabel(device), String(device.major), String(device.minor)];
        return [
          { value: device.readBytes, labels: [...labels, "read"] },
          { value: device.writtenBytes, labels: [...labels, "write"] },
        ];
      }),
  ),
];
