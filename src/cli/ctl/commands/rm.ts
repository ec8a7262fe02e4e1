import { ContainerState, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { findContainer } from "../find.ts";
import { CtlError, forEachOperand, type Subcommand } from "../subcommand.ts";

export const rm: Subcommand = {
  name: "rm",
  summary: "Removes containers.",
  operands: "CONTAINER...",
  minOperands: 1,
  maxOperands: Infinity,
  options: { force: { kind: "flag", short: "f", help: "also running containers, which are killed" } },
  async run(invocation) {
    const { client, arguments: given, stdout } = invocation;
    return forEachOperand(invocation, async (operand) => {
      const { id, state } = await findContainer(client, operand);
      if (state === ContainerState.CONTAINER_RUNNING && !given.flag("force")) {
        throw new CtlError("the container runs; stop it first, or use --force");
      }
      await client.call(RuntimeService.method.removeContainer, { containerId: id });
      stdout.write(`${id}\n`);
    });
  },
};
