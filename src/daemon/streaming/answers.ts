import type { StreamSessions } from "#domain/pod/stream-sessions.ts";
import { DomainError } from "#errors/domain-error.ts";
import type { Questions } from "./questions.ts";

type Answers = {
  readonly [Q in keyof Questions]: (
    payload: Questions[Q]["payload"],
  ) => Questions[Q]["answer"] | Promise<Questions[Q]["answer"]>;
};

/** Answers the streaming worker, in the main thread. */
export function answersOf(sessions: StreamSessions): (question: string, payload: unknown) => Promise<unknown> {
  const answers: Answers = {
    begin() {
      sessions.endAll();
      return undefined;
    },
    startExec: ({ containerId, command, ...wanted }) => sessions.startExec(containerId, command, wanted),
    execEnded: ({ session }) => sessions.execEnded(session),
    killExec({ session }) {
      sessions.killExec(session);
      return undefined;
    },
    attach: ({ containerId }) => sessions.attach(containerId),
    async containerEnded({ session }) {
      await sessions.containerEnded(session);
      return undefined;
    },
    detach({ session }) {
      sessions.detach(session);
      return undefined;
    },
    async resize({ containerId, size }) {
      await sessions.resize(containerId, size);
      return undefined;
    },
    podSocket: ({ sandboxId, family }) => sessions.podSocket(sandboxId, family),
  };
  return async (question, payload) => {
    if (!Object.hasOwn(answers, question)) throw new DomainError("unimplemented", `nobody answers ${question}`);
    // The worker asks by the same table.
    const answer = answers[question as keyof Answers] as (payload: unknown) => unknown;
    return answer(payload);
  };
}
