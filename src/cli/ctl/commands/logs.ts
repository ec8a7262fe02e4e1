import { ContainerState } from "#cri/gen/runtime/v1/api_pb.ts";
import { UsageError } from "../arguments.ts";
import { containerStatus, untilExit } from "../container-status.ts";
import { findContainer } from "../find.ts";
import { followRecords, lastRecords, readRecords, type LogRecord } from "../log-file.ts";
import { CtlError, type Invocation, type Subcommand } from "../subcommand.ts";

export const logs: Subcommand = {
  name: "logs",
  summary: "Prints what a container wrote, read from its log file on this machine.",
  operands: "CONTAINER",
  minOperands: 1,
  maxOperands: 1,
  options: {
    follow: { kind: "flag", short: "f", help: "go on with what comes, until the container ends" },
    tail: { kind: "text", placeholder: "COUNT", help: "only the last COUNT lines" },
    timestamps: { kind: "flag", short: "t", help: "put the time before each line" },
  },
  async run(invocation) {
    const { client, arguments: given, operands, signal } = invocation;
    const { id } = await findContainer(client, operands[0] ?? "");
    const { logPath, state } = await containerStatus(client, id);
    if (logPath === "") throw new CtlError(`container ${id} has no log file`);
    const print = printer(invocation, given.flag("timestamps"));
    const written = given.text("tail");
    const tail = written === undefined ? undefined : lineCount(written);
    if (given.flag("follow") && state !== ContainerState.CONTAINER_EXITED) {
      const ended = untilExit(client, id, signal);
      for await (const record of followRecords(logPath, ended, tail === undefined ? {} : { tail })) print(record);
    } else {
      for await (const record of tail === undefined ? readRecords(logPath) : await lastRecords(logPath, tail)) {
        print(record);
      }
    }
    return 0;
  },
};

/** Writes records to the stream that they came from. */
export function printer(
  { stdout, stderr }: Pick<Invocation, "stdout" | "stderr">,
  timestamps = false,
): (record: LogRecord) => void {
  return ({ time, stream, text }) => {
    (stream === "stdout" ? stdout : stderr).write(timestamps ? `${time} ${text}` : text);
  };
}

function lineCount(written: string): number {
  if (!/^\d+$/.test(written)) throw new UsageError(`--tail ${written} is not a number of lines`);
  return Number(written);
}
