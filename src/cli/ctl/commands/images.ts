import { ImageService, ListImagesResponseSchema, type Image } from "#cri/gen/runtime/v1/api_pb.ts";
import { bytes, shortId } from "../readable.ts";
import { printList, quietOption } from "../print-list.ts";
import type { Subcommand } from "../subcommand.ts";

export const images: Subcommand = {
  name: "images",
  summary: "Lists images.",
  operands: "[NAME]",
  minOperands: 0,
  maxOperands: 1,
  options: {
    digests: { kind: "flag", help: "also the digests that the images were pulled by" },
    quiet: quietOption,
  },
  async run(invocation) {
    const { client, arguments: given, operands } = invocation;
    const [name] = operands;
    const filter = name === undefined ? {} : { image: { image: name } };
    const answer = await client.call(ImageService.method.listImages, { filter });
    const digests = given.flag("digests");
    const titles = ["IMAGE", "TAG", ...(digests ? ["DIGEST"] : []), "IMAGE ID", "SIZE"];
    const sorted = answer.images.flatMap((image) => rows(image, digests)).sort(byFirstCells);
    printList(invocation, [ListImagesResponseSchema, answer], answer.images, titles, sorted);
    return 0;
  },
};

/** A row for each tag; one row for an image that has only digests. */
function rows(image: Image, digests: boolean): string[][] {
  const digestOf = (name: string): string => {
    const found = image.repoDigests.find((digest) => digest.startsWith(`${name}@`)) ?? image.repoDigests[0] ?? "";
    return shortId(found.slice(found.indexOf("@") + 1));
  };
  const named = image.repoTags.map(splitTag);
  const byDigest = image.repoDigests
    .slice(0, 1)
    .map((digest) => [digest.slice(0, digest.indexOf("@")), "<none>"] as const);
  const names = named.length > 0 ? named : byDigest.length > 0 ? byDigest : [["<none>", "<none>"] as const];
  return names.map(([name, tag]) => [
    name,
    tag,
    ...(digests ? [digestOf(name)] : []),
    shortId(image.id),
    bytes(image.size),
  ]);
}

/** A colon before the last slash belongs to the registry's port. */
function splitTag(reference: string): readonly [name: string, tag: string] {
  const colon = reference.lastIndexOf(":");
  return colon > reference.lastIndexOf("/") ? [reference.slice(0, colon), reference.slice(colon + 1)] : [reference, ""];
}

function byFirstCells(one: readonly string[], other: readonly string[]): number {
  return one.slice(0, 2).join(" ").localeCompare(other.slice(0, 2).join(" "));
}
