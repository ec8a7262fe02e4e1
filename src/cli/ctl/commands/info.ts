import { RuntimeService, StatusResponseSchema, type StatusResponse } from "#cri/gen/runtime/v1/api_pb.ts";
import { printJson, type Subcommand } from "../subcommand.ts";
import { table } from "../table.ts";

export const info: Subcommand = {
  name: "info",
  summary: "Shows whether the runtime and the network are ready, the runtime handlers and the configuration.",
  operands: "",
  minOperands: 0,
  maxOperands: 0,
  options: {},
  async run({ client, json, stdout }) {
    const answer = await client.call(RuntimeService.method.status, { verbose: true });
    if (json) printJson(stdout, StatusResponseSchema, answer);
    else stdout.write(describe(answer));
    return 0;
  },
};

function describe({ status, runtimeHandlers, info: details }: StatusResponse): string {
  const conditions = (status?.conditions ?? []).map((one) => [
    one.type,
    one.status ? "yes" : "NO",
    one.reason,
    one.message,
  ]);
  const handlers = runtimeHandlers.map(({ name, features }) => [
    name === "" ? "(default)" : name,
    features?.recursiveReadOnlyMounts === true ? "yes" : "no",
    features?.userNamespaces === true ? "yes" : "no",
  ]);
  const parts = [table(["CONDITION", "MET", "REASON", "MESSAGE"], conditions)];
  if (handlers.length > 0) parts.push(table(["HANDLER", "RECURSIVE READ-ONLY", "USER NAMESPACES"], handlers));
  for (const [key, text] of Object.entries(details)) parts.push(`${key}: ${indented(text)}\n`);
  return parts.join("\n");
}

/** The runtime's details are JSON in a string; what is not is shown as it is. */
function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}
