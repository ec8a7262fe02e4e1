import { RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { UsageError } from "../arguments.ts";
import { findContainer } from "../find.ts";
import { forEachOperand, type Subcommand } from "../subcommand.ts";

export const stop: Subcommand = {
  name: "stop",
  summary: "Stops containers: the stop signal first, after the grace period the kill signal.",
  operands: "CONTAINER...",
  minOperands: 1,
  maxOperands: Infinity,
  options: { grace: { kind: "text", short: "g", placeholder: "SECONDS", help: "grace period (default: 10)" } },
  async run(invocation) {
    const { client, arguments: given, stdout } = invocation;
    const grace = given.text("grace") ?? "10";
    if (!/^\d+$/.test(grace)) throw new UsageError(`--grace ${grace} is not a number of seconds`);
    return forEachOperand(invocation, async (operand) => {
      const { id } = await findContainer(client, operand);
      const request = { containerId: id, timeout: BigInt(grace) };
      await client.call(RuntimeService.method.stopContainer, request, { timeoutMs: 0 });
      stdout.write(`${id}\n`);
    });
  },
};
