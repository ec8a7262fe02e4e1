import {
  ListPodSandboxResponseSchema,
  PodSandboxState,
  PodSandboxStateSchema,
  RuntimeService,
  type PodSandbox,
} from "#cri/gen/runtime/v1/api_pb.ts";
import { age, enumWord, shortId } from "../readable.ts";
import { printList, quietOption } from "../print-list.ts";
import type { Subcommand } from "../subcommand.ts";

export const pods: Subcommand = {
  name: "pods",
  summary: "Lists pods.",
  operands: "",
  minOperands: 0,
  maxOperands: 0,
  options: {
    ready: { kind: "flag", help: "only pods that are ready" },
    namespace: { kind: "text", short: "n", help: "only pods of this Kubernetes namespace" },
    quiet: quietOption,
  },
  async run(invocation) {
    const { client, arguments: given } = invocation;
    const filter = given.flag("ready") ? { state: { state: PodSandboxState.SANDBOX_READY } } : {};
    const answer = await client.call(RuntimeService.method.listPodSandbox, { filter });
    const namespace = given.text("namespace");
    answer.items = answer.items
      .filter(({ metadata }) => namespace === undefined || metadata?.namespace === namespace)
      .sort((one, other) => Number(other.createdAt - one.createdAt));
    const titles = ["POD ID", "CREATED", "STATE", "NAME", "NAMESPACE", "ATTEMPT", "HANDLER"];
    printList(invocation, [ListPodSandboxResponseSchema, answer], answer.items, titles, rows(answer.items));
    return 0;
  },
};

function rows(items: readonly PodSandbox[]): string[][] {
  return items.map(({ id, createdAt, state, metadata, runtimeHandler }) => [
    shortId(id),
    age(createdAt),
    enumWord(PodSandboxStateSchema, state, "SANDBOX_"),
    metadata?.name ?? "",
    metadata?.namespace ?? "",
    String(metadata?.attempt ?? 0),
    runtimeHandler === "" ? "(default)" : runtimeHandler,
  ]);
}
