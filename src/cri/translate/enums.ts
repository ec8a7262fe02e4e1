import {
  ContainerState,
  MountPropagation,
  NamespaceMode,
  PodSandboxState,
  Protocol,
  SupplementalGroupsPolicy,
} from "../gen/runtime/v1/api_pb.ts";
import type * as container from "#domain/container/request.ts";
import type * as sandbox from "#domain/sandbox/request.ts";
import { invalid } from "./required.ts";

/** The domain's words for the values of one enum. */
export interface WireEnum<Word extends string, Value extends number> {
  toWire(word: Word): Value;
  /** @throws DomainError invalid-argument for a number that this version of the CRI does not define */
  toDomain(value: number, field: string): Word;
}

function wireEnum<Word extends string, Value extends number>(
  values: Readonly<Record<Word, Value>>,
): WireEnum<Word, Value> {
  const words = new Map<number, Word>();
  for (const word in values) words.set(values[word], word);
  return {
    toWire: (word) => values[word],
    toDomain(value, field) {
      const word = words.get(value);
      if (word === undefined) throw invalid(field, `has the unknown value ${value}`);
      return word;
    },
  };
}

export const protocols = wireEnum<sandbox.SandboxPortMapping["protocol"], Protocol>({
  tcp: Protocol.TCP,
  udp: Protocol.UDP,
  sctp: Protocol.SCTP,
});

export const namespaceModes = wireEnum<sandbox.NamespaceMode, NamespaceMode>({
  pod: NamespaceMode.POD,
  container: NamespaceMode.CONTAINER,
  node: NamespaceMode.NODE,
  target: NamespaceMode.TARGET,
});

export const groupsPolicies = wireEnum<sandbox.SupplementalGroupsPolicy, SupplementalGroupsPolicy>({
  merge: SupplementalGroupsPolicy.Merge,
  strict: SupplementalGroupsPolicy.Strict,
});

export const propagations = wireEnum<container.MountPropagation, MountPropagation>({
  private: MountPropagation.PROPAGATION_PRIVATE,
  "host-to-container": MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
  bidirectional: MountPropagation.PROPAGATION_BIDIRECTIONAL,
});

export const sandboxStates = wireEnum<"ready" | "not-ready", PodSandboxState>({
  ready: PodSandboxState.SANDBOX_READY,
  "not-ready": PodSandboxState.SANDBOX_NOTREADY,
});

export const containerStates = wireEnum<"created" | "running" | "exited" | "unknown", ContainerState>({
  created: ContainerState.CONTAINER_CREATED,
  running: ContainerState.CONTAINER_RUNNING,
  exited: ContainerState.CONTAINER_EXITED,
  unknown: ContainerState.CONTAINER_UNKNOWN,
});
