import { toJson, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import type { CriClient } from "#cri/client.ts";
import type { OptionSpecs, ParsedArguments } from "./arguments.ts";

/** Where a subcommand writes; a terminal has columns. */
export interface Screen {
  write(text: string | Uint8Array): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** What a subcommand gets to work with. */
export interface Invocation {
  client: CriClient;
  arguments: ParsedArguments;
  operands: readonly string[];
  /** Programs read the answer: print the CRI's message as JSON. */
  json: boolean;
  stdout: Screen;
  stderr: Screen;
  /** Aborts when the person interrupts. */
  signal: AbortSignal;
}

/** One word of `berth ctl`. */
export interface Subcommand {
  name: string;
  summary: string;
  /** As the usage line shows them, e.g. `IMAGE [COMMAND...]`. */
  operands: string;
  minOperands: number;
  maxOperands: number;
  /** From this operand on, options belong to the container's command. */
  operandsBeforeCommand?: number;
  options: OptionSpecs;
  /** Resolves with the exit status. */
  run(invocation: Invocation): Promise<number>;
}

/** A request that cannot be carried out, said to the person as it is. */
export class CtlError extends Error {
  override readonly name = "CtlError";
}

/** Prints a message as the CRI's JSON, fields with default values included. */
export function printJson<D extends DescMessage>(screen: Screen, schema: D, message: MessageShape<D>): void {
  screen.write(`${JSON.stringify(toJson(schema, message, { alwaysEmitImplicit: true }), undefined, 2)}\n`);
}

/** Does `work` for each operand in turn; a failure is printed and the next one is still tried. */
export async function forEachOperand(
  { operands, stderr }: Invocation,
  work: (operand: string) => Promise<void>,
): Promise<number> {
  let failures = 0;
  for (const operand of operands) {
    try {
      await work(operand);
    } catch (error) {
      failures += 1;
      stderr.write(`${operand}: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
  return failures === 0 ? 0 : 1;
}
