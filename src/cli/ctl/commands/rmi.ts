import { ImageService } from "#cri/gen/runtime/v1/api_pb.ts";
import { findImage } from "../find.ts";
import { forEachOperand, type Subcommand } from "../subcommand.ts";

export const rmi: Subcommand = {
  name: "rmi",
  summary: "Removes names of images; by id the image with all its names.",
  operands: "IMAGE...",
  minOperands: 1,
  maxOperands: Infinity,
  options: {},
  async run(invocation) {
    const { client, stdout } = invocation;
    return forEachOperand(invocation, async (operand) => {
      const { id } = await findImage(client, operand);
      const byId = id.replace(/^sha256:/, "").startsWith(operand.replace(/^sha256:/, ""));
      await client.call(ImageService.method.removeImage, { image: { image: byId ? id : operand } });
      stdout.write(`${operand}\n`);
    });
  },
};
