import { ExecSyncResponseSchema, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { UsageError } from "../arguments.ts";
import { findContainer } from "../find.ts";
import { printJson, type Subcommand } from "../subcommand.ts";

export const exec: Subcommand = {
  name: "exec",
  summary: "Runs a command in a container and prints what it wrote once it has ended.",
  operands: "CONTAINER COMMAND...",
  minOperands: 2,
  maxOperands: Infinity,
  operandsBeforeCommand: 1,
  options: { limit: { kind: "text", placeholder: "SECONDS", help: "end the command after this time" } },
  async run({ client, arguments: given, operands, json, stdout, stderr, signal }) {
    const [container = "", ...cmd] = operands;
    const { id } = await findContainer(client, container);
    const limit = given.text("limit") ?? "0";
    if (!/^\d+$/.test(limit)) throw new UsageError(`--limit ${limit} is not a number of seconds`);
    const request = { containerId: id, cmd, timeout: BigInt(limit) };
    const answer = await client.call(RuntimeService.method.execSync, request, { timeoutMs: 0, signal });
    if (json) {
      printJson(stdout, ExecSyncResponseSchema, answer);
    } else {
      stdout.write(answer.stdout);
      stderr.write(answer.stderr);
    }
    return answer.exitCode;
  },
};
