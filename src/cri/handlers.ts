import type { DescService } from "@bufbuild/protobuf";
import type { Call, Handler } from "./call.ts";
import { Progress } from "./gen/berth/v1/progress_pb.ts";
import { ImageService, RuntimeService } from "./gen/runtime/v1/api_pb.ts";
import { imageFsInfo } from "./image-service/image-fs-info.ts";
import { imageStatus } from "./image-service/image-status.ts";
import { listImages } from "./image-service/list-images.ts";
import { pullImage } from "./image-service/pull-image.ts";
import { removeImage } from "./image-service/remove-image.ts";
import { streamImages } from "./image-service/stream-images.ts";
import { watchPull } from "./progress-service/watch-pull.ts";
import { attach } from "./runtime-service/attach.ts";
import { checkpointContainer } from "./runtime-service/checkpoint-container.ts";
import { containerStats } from "./runtime-service/container-stats.ts";
import { containerStatus } from "./runtime-service/container-status.ts";
import { createContainer } from "./runtime-service/create-container.ts";
import { exec } from "./runtime-service/exec.ts";
import { execSync } from "./runtime-service/exec-sync.ts";
import { getContainerEvents } from "./runtime-service/get-container-events.ts";
import { listContainerStats } from "./runtime-service/list-container-stats.ts";
import { listContainers } from "./runtime-service/list-containers.ts";
import { listMetricDescriptors } from "./runtime-service/list-metric-descriptors.ts";
import { listPodSandbox } from "./runtime-service/list-pod-sandbox.ts";
import { listPodSandboxMetrics } from "./runtime-service/list-pod-sandbox-metrics.ts";
import { listPodSandboxStats } from "./runtime-service/list-pod-sandbox-stats.ts";
import { podSandboxStats } from "./runtime-service/pod-sandbox-stats.ts";
import { podSandboxStatus } from "./runtime-service/pod-sandbox-status.ts";
import { portForward } from "./runtime-service/port-forward.ts";
import { removeContainer } from "./runtime-service/remove-container.ts";
import { removePodSandbox } from "./runtime-service/remove-pod-sandbox.ts";
import { reopenContainerLog } from "./runtime-service/reopen-container-log.ts";
import { runPodSandbox } from "./runtime-service/run-pod-sandbox.ts";
import { runtimeConfig } from "./runtime-service/runtime-config.ts";
import { startContainer } from "./runtime-service/start-container.ts";
import { status } from "./runtime-service/status.ts";
import { stopContainer } from "./runtime-service/stop-container.ts";
import { stopPodSandbox } from "./runtime-service/stop-pod-sandbox.ts";
import { streamContainerStats } from "./runtime-service/stream-container-stats.ts";
import { streamContainers } from "./runtime-service/stream-containers.ts";
import { streamPodSandboxMetrics } from "./runtime-service/stream-pod-sandbox-metrics.ts";
import { streamPodSandboxStats } from "./runtime-service/stream-pod-sandbox-stats.ts";
import { streamPodSandboxes } from "./runtime-service/stream-pod-sandboxes.ts";
import { updateContainerResources } from "./runtime-service/update-container-resources.ts";
import { updatePodSandboxResources } from "./runtime-service/update-pod-sandbox-resources.ts";
import { updateRuntimeConfig } from "./runtime-service/update-runtime-config.ts";
import { version } from "./runtime-service/version.ts";

/** One handler for each method of a generated service, of the method's own types. A missing one answers UNIMPLEMENTED. */
type HandlersOf<S extends { method: object }> = { readonly [M in keyof S["method"]]?: Handler<S["method"][M]> };

const runtimeService: HandlersOf<typeof RuntimeService> = {
  attach,
  checkpointContainer,
  containerStats,
  containerStatus,
  createContainer,
  exec,
  execSync,
  getContainerEvents,
  listContainerStats,
  listContainers,
  listMetricDescriptors,
  listPodSandbox,
  listPodSandboxMetrics,
  listPodSandboxStats,
  podSandboxStats,
  podSandboxStatus,
  portForward,
  removeContainer,
  removePodSandbox,
  reopenContainerLog,
  runPodSandbox,
  runtimeConfig,
  startContainer,
  status,
  stopContainer,
  stopPodSandbox,
  streamContainerStats,
  streamContainers,
  streamPodSandboxMetrics,
  streamPodSandboxStats,
  streamPodSandboxes,
  updateContainerResources,
  updatePodSandboxResources,
  updateRuntimeConfig,
  version,
};

const imageService: HandlersOf<typeof ImageService> = {
  imageFsInfo,
  imageStatus,
  listImages,
  pullImage,
  removeImage,
  streamImages,
};

const progress: HandlersOf<typeof Progress> = { watchPull };

/** Handlers by the local names of their methods; that each fits its method is checked above. */
export type ServiceTable = Readonly<Record<string, ((request: never, call: Call) => unknown) | undefined>>;

/** What the server serves. */
export const services: readonly { service: DescService; handlers: ServiceTable }[] = [
  { service: RuntimeService, handlers: runtimeService },
  { service: ImageService, handlers: imageService },
  { service: Progress, handlers: progress },
];
