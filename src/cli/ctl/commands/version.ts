import { RuntimeService, VersionResponseSchema } from "#cri/gen/runtime/v1/api_pb.ts";
import { printJson, type Subcommand } from "../subcommand.ts";

export const version: Subcommand = {
  name: "version",
  summary: "Shows the runtime's name and version.",
  operands: "",
  minOperands: 0,
  maxOperands: 0,
  options: {},
  async run({ client, json, stdout }) {
    const answer = await client.call(RuntimeService.method.version, {});
    if (json) {
      printJson(stdout, VersionResponseSchema, answer);
    } else {
      stdout.write(`${answer.runtimeName} ${answer.runtimeVersion}, CRI ${answer.runtimeApiVersion}\n`);
    }
    return 0;
  },
};
