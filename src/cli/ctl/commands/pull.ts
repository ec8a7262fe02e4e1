import type { CriClient } from "#cri/client.ts";
import { ImageService, PullImageResponseSchema } from "#cri/gen/runtime/v1/api_pb.ts";
import { UsageError } from "../arguments.ts";
import { showPull } from "../pull-progress.ts";
import { printJson, type Subcommand } from "../subcommand.ts";

export const pull: Subcommand = {
  name: "pull",
  summary: "Pulls an image; shows a bar for each layer on a terminal.",
  operands: "IMAGE",
  minOperands: 1,
  maxOperands: 1,
  options: {
    creds: { kind: "text", placeholder: "USER:PASSWORD", help: "account at the registry" },
    auth: { kind: "text", placeholder: "BASE64", help: "the same as base64, as in auth.json" },
    quiet: { kind: "flag", short: "q", help: "show no progress" },
  },
  async run({ client, arguments: given, operands, json, stdout, stderr, signal }) {
    const [image = ""] = operands;
    const auth = authOf(given.text("creds"), given.text("auth"));
    const ask = () =>
      client.call(ImageService.method.pullImage, { image: { image }, ...auth }, { timeoutMs: 0, signal });
    const answer = await (json || given.flag("quiet") ? ask() : showPull(client, image, stderr, ask));
    if (json) printJson(stdout, PullImageResponseSchema, answer);
    else stdout.write(`${answer.imageRef}\n`);
    return 0;
  },
};

/** Pulls with progress unless the image is there; for subcommands that need an image. */
export async function pullIfMissing(
  client: CriClient,
  image: string,
  screen: Parameters<typeof showPull>[2],
  signal: AbortSignal,
): Promise<void> {
  const present = await client.call(ImageService.method.imageStatus, { image: { image } });
  if (present.image !== undefined) return;
  await showPull(client, image, screen, () =>
    client.call(ImageService.method.pullImage, { image: { image } }, { timeoutMs: 0, signal }),
  );
}

function authOf(creds: string | undefined, auth: string | undefined): { auth?: object } {
  if (auth !== undefined) return { auth: { auth } };
  if (creds === undefined) return {};
  const colon = creds.indexOf(":");
  if (colon < 1) throw new UsageError("--creds is not USER:PASSWORD");
  return { auth: { username: creds.slice(0, colon), password: creds.slice(colon + 1) } };
}
