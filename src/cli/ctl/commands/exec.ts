import { ExecSyncResponseSchema, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { UsageError } from "../arguments.ts";
import { execStream, type Terminal } from "../exec-stream.ts";
import { findContainer } from "../find.ts";
import { printJson, type Invocation, type Subcommand } from "../subcommand.ts";

export const exec: Subcommand = {
  name: "exec",
  summary: "Runs a command in a container; prints what it wrote once it has ended, or connects to it with -i or -t.",
  operands: "CONTAINER COMMAND...",
  minOperands: 2,
  maxOperands: Infinity,
  operandsBeforeCommand: 1,
  options: {
    stdin: { kind: "flag", short: "i", help: "send what is typed to the command, and show at once what it writes" },
    tty: { kind: "flag", short: "t", help: "give the command a terminal" },
    limit: { kind: "text", placeholder: "SECONDS", help: "end the command after this time; not with -i or -t" },
  },
  async run(invocation) {
    const { client, arguments: given, operands } = invocation;
    const [container = "", ...cmd] = operands;
    const { id } = await findContainer(client, container);
    return given.flag("stdin") || given.flag("tty") ? connected(invocation, id, cmd) : toTheEnd(invocation, id, cmd);
  },
};

async function toTheEnd(invocation: Invocation, containerId: string, cmd: string[]): Promise<number> {
  const { client, arguments: given, json, stdout, stderr, signal } = invocation;
  const limit = given.text("limit") ?? "0";
  if (!/^\d+$/.test(limit)) throw new UsageError(`--limit ${limit} is not a number of seconds`);
  const request = { containerId, cmd, timeout: BigInt(limit) };
  const answer = await client.call(RuntimeService.method.execSync, request, { timeoutMs: 0, signal });
  if (json) {
    printJson(stdout, ExecSyncResponseSchema, answer);
  } else {
    stdout.write(answer.stdout);
    stderr.write(answer.stderr);
  }
  return answer.exitCode;
}

async function connected(
  { client, arguments: given, stdout, stderr }: Invocation,
  containerId: string,
  cmd: string[],
): Promise<number> {
  const [stdin, tty] = [given.flag("stdin"), given.flag("tty")];
  // A terminal has one stream for what it shows; the CRI refuses a second one.
  const request = { containerId, cmd, stdin, tty, stdout: true, stderr: !tty };
  const { url } = await client.call(RuntimeService.method.exec, request);
  const terminal: Terminal = { stdin: process.stdin, stdout, stderr };
  if (tty && process.stdout.isTTY) terminal.size = ownSize;
  // Without a terminal on the other side, lines are edited on this one.
  if (tty && process.stdin.isTTY) terminal.setRawMode = (raw) => process.stdin.setRawMode(raw);
  return execStream(url, terminal, stdin);
}

const ownSize = {
  now: () => ({ columns: process.stdout.columns, rows: process.stdout.rows }),
  onChange: (listener: () => void): Disposable => {
    process.stdout.on("resize", listener);
    return { [Symbol.dispose]: () => process.stdout.off("resize", listener) };
  },
};
