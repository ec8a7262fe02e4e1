import type { AttachTarget } from "#domain/pod/stream-sessions.ts";
import type { IpFamily, StdioEnds, TerminalSize } from "#drivers/streams/index.ts";
import type { ExecRequest } from "#streaming/backend.ts";

/**
 * What the streaming worker asks the main thread, where processes are started and reaped: control only, the bytes of
 * sessions stay in the worker. Descriptors cross as numbers and belong to the worker from then on.
 */
export interface Questions {
  /** A worker begins: what an earlier one had is to be ended. */
  begin: { payload: undefined; answer: undefined };
  startExec: { payload: ExecRequest; answer: { session: number; stdio: StdioEnds } };
  /** Also says that the worker has the descriptors. Answered with the exit code once the command has ended. */
  execEnded: { payload: { session: number }; answer: number };
  killExec: { payload: { session: number }; answer: undefined };
  attach: { payload: { containerId: string }; answer: AttachTarget };
  /** Answered when the container has ended, or after `detach`. */
  containerEnded: { payload: { session: number }; answer: undefined };
  detach: { payload: { session: number }; answer: undefined };
  resize: { payload: { containerId: string; size: TerminalSize }; answer: undefined };
  podSocket: { payload: { sandboxId: string; family: IpFamily }; answer: number };
}

export type Ask = <Q extends keyof Questions>(
  question: Q,
  payload: Questions[Q]["payload"],
) => Promise<Questions[Q]["answer"]>;
