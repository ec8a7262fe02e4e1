import type { Containers, EntityFilter, Sandboxes } from "#domain/runtime.ts";
import type {
  ContainerFilter,
  ContainerStatsFilter,
  PodSandboxFilter,
  PodSandboxStatsFilter,
} from "../gen/runtime/v1/api_pb.ts";
import { containerStates, sandboxStates } from "./enums.ts";

// A missing filter lets everything through; an empty id or no label selects nothing away.

export function sandboxFilterFromWire(filter: PodSandboxFilter | undefined): Parameters<Sandboxes["list"]>[0] {
  const state = filter?.state;
  return {
    ...entityFilter(filter),
    ...(state === undefined ? {} : { state: sandboxStates.toDomain(state.state, "filter.state.state") }),
  };
}

export function containerFilterFromWire(filter: ContainerFilter | undefined): Parameters<Containers["list"]>[0] {
  const state = filter?.state;
  return {
    ...containerStatsFilterFromWire(filter),
    ...(state === undefined ? {} : { state: containerStates.toDomain(state.state, "filter.state.state") }),
  };
}

export function containerStatsFilterFromWire(
  filter: Pick<ContainerStatsFilter, "id" | "podSandboxId" | "labelSelector"> | undefined,
): EntityFilter & { sandboxId?: string } {
  const sandboxId = filter?.podSandboxId ?? "";
  return { ...entityFilter(filter), ...(sandboxId === "" ? {} : { sandboxId }) };
}

export function sandboxStatsFilterFromWire(filter: PodSandboxStatsFilter | undefined): EntityFilter {
  return entityFilter(filter);
}

function entityFilter(filter: Pick<PodSandboxStatsFilter, "id" | "labelSelector"> | undefined): EntityFilter {
  const id = filter?.id ?? "";
  return { labels: filter?.labelSelector ?? {}, ...(id === "" ? {} : { id }) };
}
