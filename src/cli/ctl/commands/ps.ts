import {
  ContainerState,
  ContainerStateSchema,
  ListContainersResponseSchema,
  RuntimeService,
  type Container,
} from "#cri/gen/runtime/v1/api_pb.ts";
import { findPod } from "../find.ts";
import { age, enumWord, shortId } from "../readable.ts";
import { printList, quietOption } from "../print-list.ts";
import type { Subcommand } from "../subcommand.ts";

export const ps: Subcommand = {
  name: "ps",
  summary: "Lists containers.",
  operands: "",
  minOperands: 0,
  maxOperands: 0,
  options: {
    all: { kind: "flag", short: "a", help: "also containers that do not run" },
    pod: { kind: "text", short: "p", help: "only containers of this pod" },
    quiet: quietOption,
  },
  async run(invocation) {
    const { client, arguments: given } = invocation;
    const pod = given.text("pod");
    const answer = await client.call(RuntimeService.method.listContainers, {
      filter: {
        ...(given.flag("all") ? {} : { state: { state: ContainerState.CONTAINER_RUNNING } }),
        ...(pod === undefined ? {} : { podSandboxId: (await findPod(client, pod)).id }),
      },
    });
    answer.containers.sort((one, other) => Number(other.createdAt - one.createdAt));
    const titles = ["CONTAINER", "IMAGE", "CREATED", "STATE", "NAME", "ATTEMPT", "POD ID"];
    printList(invocation, [ListContainersResponseSchema, answer], answer.containers, titles, rows(answer.containers));
    return 0;
  },
};

function rows(containers: readonly Container[]): string[][] {
  return containers.map(({ id, image, createdAt, state, metadata, podSandboxId }) => [
    shortId(id),
    imageName(image?.userSpecifiedImage || image?.image || ""),
    age(createdAt),
    enumWord(ContainerStateSchema, state, "CONTAINER_"),
    metadata?.name ?? "",
    String(metadata?.attempt ?? 0),
    shortId(podSandboxId),
  ]);
}

/** An image known by its id only is as unreadable as any id. */
function imageName(image: string): string {
  return /^(sha256:)?[0-9a-f]{64}$/.test(image) ? shortId(image) : image;
}
