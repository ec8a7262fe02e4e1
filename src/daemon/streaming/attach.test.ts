import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DomainError } from "#errors/domain-error.ts";
import type { Carriers } from "#drivers/streams/index.ts";
import { silentLogger } from "#observability/logger.ts";
import { attach } from "./attach.ts";
import type { Ask, Questions } from "./questions.ts";

const request = { containerId: "c", stdin: false, stdout: true, stderr: true, tty: false };

describe("attach, when the monitor's socket cannot be reached", () => {
  it("is over when the container has ended meanwhile", async () => {
    const container = Promise.withResolvers<undefined>();
    const session = attaching(container.promise);
    container.resolve(undefined);
    await session;
  });

  it("fails when nothing can say that the container has ended", async () => {
    await assert.rejects(attaching(Promise.reject(new Error("the main thread is gone"))), /connect ECONNREFUSED/);
  });
});

/** A session with a container whose monitor is gone. */
function attaching(containerEnded: Promise<undefined>): Promise<void> {
  const unreachable = (): never => assert.fail("not of a session with a container");
  const carriers: Carriers = {
    pipeSource: unreachable,
    pipeSink: unreachable,
    close: unreachable,
    terminal: unreachable,
    attach: () => Promise.reject(new DomainError("unavailable", "connect ECONNREFUSED /attach")),
    connect: unreachable,
  };
  const answers: Partial<{ [Q in keyof Questions]: Promise<Questions[Q]["answer"]> }> = {
    attach: Promise.resolve({ session: 1, socketPath: "/attach", tty: false, stdin: false, stdinOnce: false }),
    containerEnded,
    detach: Promise.resolve(undefined),
  };
  const ask: Ask = (question) => answers[question] ?? Promise.reject(new Error(`nobody answers ${question}`));
  const streams = { stdin: undefined, stdout: undefined, stderr: undefined, resize: noSizes() };
  return attach(carriers, ask, silentLogger, request, streams, new AbortController().signal);
}

async function* noSizes(): AsyncGenerator<never> {}
