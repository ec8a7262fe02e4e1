import { toJson, type DescMessage, type JsonValue, type MessageShape } from "@bufbuild/protobuf";
import type { CriClient } from "#cri/client.ts";
import {
  ContainerStatusResponseSchema,
  ImageService,
  ImageStatusResponseSchema,
  PodSandboxStatusResponseSchema,
  RuntimeService,
} from "#cri/gen/runtime/v1/api_pb.ts";
import { UsageError } from "../arguments.ts";
import { containersLike, findImage, only, podsLike } from "../find.ts";
import type { Subcommand } from "../subcommand.ts";

const kinds = ["container", "pod", "image"];

export const inspect: Subcommand = {
  name: "inspect",
  summary: "Shows all that the runtime says of a container, a pod or an image, as JSON.",
  operands: "ID",
  minOperands: 1,
  maxOperands: 1,
  options: {
    type: { kind: "text", placeholder: "KIND", help: "container, pod or image; the first that fits if not given" },
  },
  async run({ client, arguments: given, operands, stdout }) {
    const [written = ""] = operands;
    const kind = given.text("type") ?? (await kindOf(client, written));
    if (!kinds.includes(kind)) throw new UsageError(`--type ${kind} is none of ${kinds.join(", ")}`);
    stdout.write(`${JSON.stringify(await describe(client, kind, written), undefined, 2)}\n`);
    return 0;
  },
};

async function kindOf(client: CriClient, written: string): Promise<string> {
  if ((await containersLike(client, written)).length > 0) return "container";
  return (await podsLike(client, written)).length > 0 ? "pod" : "image";
}

async function describe(client: CriClient, kind: string, written: string): Promise<JsonValue> {
  if (kind === "container") {
    const { id: containerId } = only(kind, written, await containersLike(client, written));
    const answer = await client.call(RuntimeService.method.containerStatus, { containerId, verbose: true });
    return readable(ContainerStatusResponseSchema, answer, answer.info);
  }
  if (kind === "pod") {
    const { id: podSandboxId } = only(kind, written, await podsLike(client, written));
    const answer = await client.call(RuntimeService.method.podSandboxStatus, { podSandboxId, verbose: true });
    return readable(PodSandboxStatusResponseSchema, answer, answer.info);
  }
  const { id: image } = await findImage(client, written);
  const answer = await client.call(ImageService.method.imageStatus, { image: { image }, verbose: true });
  return readable(ImageStatusResponseSchema, answer, answer.info);
}

/** The message as JSON, with the JSON texts in `info` unfolded. */
function readable<D extends DescMessage>(schema: D, message: MessageShape<D>, info: Record<string, string>): JsonValue {
  const whole: JsonValue = toJson(schema, message, { alwaysEmitImplicit: true });
  if (typeof whole !== "object" || whole === null || Array.isArray(whole)) return whole;
  const unfolded = Object.entries(info).map(([key, text]) => [key, parsed(text)] as const);
  return { ...whole, info: Object.fromEntries(unfolded) };
}

function parsed(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}
