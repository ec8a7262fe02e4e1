import { PodSandboxState, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { findPod } from "../find.ts";
import { CtlError, forEachOperand, type Subcommand } from "../subcommand.ts";

export const rmp: Subcommand = {
  name: "rmp",
  summary: "Removes pods with all their containers.",
  operands: "POD...",
  minOperands: 1,
  maxOperands: Infinity,
  options: { force: { kind: "flag", short: "f", help: "also pods that are ready, which are stopped" } },
  async run(invocation) {
    const { client, arguments: given, stdout } = invocation;
    return forEachOperand(invocation, async (operand) => {
      const { id, state } = await findPod(client, operand);
      if (state === PodSandboxState.SANDBOX_READY && !given.flag("force")) {
        throw new CtlError("the pod is ready; use --force to stop and remove it");
      }
      await client.call(RuntimeService.method.stopPodSandbox, { podSandboxId: id });
      await client.call(RuntimeService.method.removePodSandbox, { podSandboxId: id });
      stdout.write(`${id}\n`);
    });
  },
};
