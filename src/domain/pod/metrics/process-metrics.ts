import type { ContainerFacts } from "./container-facts.ts";
import { metricsOf } from "./definition.ts";

const { gauge, labelledGauge } = metricsOf<ContainerFacts>();

export const processMetrics = [
  gauge("file_descriptors", "Open file descriptors of all processes.", ({ processes }) => processes?.fileDescriptors),
  gauge("processes", "Processes in the container.", ({ processes }) => processes?.processes),
  gauge("sockets", "Open sockets of all processes.", ({ processes }) => processes?.sockets),
  gauge("threads", "Threads of all processes.", ({ usage }) => usage?.pids?.tasks),
  gauge("threads_max", "The most processes and threads that the container may have, 0 for no limit.", ({ usage }) =>
    usage?.pids === undefined ? undefined : (usage.pids.maxTasks ?? 0),
  ),
  labelledGauge("ulimits_soft", "Soft limits of the container's first process.", ["ulimit"], ({ processes }) => {
    const value = processes?.softOpenFilesLimit;
    return value === undefined ? [] : [{ value, labels: ["max_open_files"] }];
  }),
];
