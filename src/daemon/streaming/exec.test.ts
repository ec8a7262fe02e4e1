import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { it } from "node:test";
import type { Carriers } from "#drivers/streams/index.ts";
import { silentLogger } from "#observability/logger.ts";
import { exec } from "./exec.ts";
import type { Ask, Questions } from "./questions.ts";

const request = { containerId: "c", command: ["sh"], stdin: true, stdout: true, stderr: true, tty: false };
const noSizes = (async function* (): AsyncGenerator<never> {})();
const streams = { stdin: undefined, stdout: undefined, stderr: undefined, resize: noSizes };

it("a command whose streams cannot be carried is killed, and all its descriptors are closed", async () => {
  const asked: string[] = [];
  const closed: number[] = [];
  const ended = Promise.withResolvers<number>();
  const answers: Partial<{ [Q in keyof Questions]: () => Promise<Questions[Q]["answer"]> }> = {
    startExec: async () => ({ session: 7, stdio: { stdin: 10, stdout: 11, stderr: 12 } }),
    execEnded: () => ended.promise,
    async killExec() {
      ended.resolve(137);
      return undefined;
    },
  };
  const ask: Ask = (question) => {
    asked.push(question);
    return answers[question]?.() ?? Promise.reject(new Error(`nobody answers ${question}`));
  };
  const source = new PassThrough();
  const unwanted = (): never => assert.fail("not of a command without a terminal");
  const carriers: Carriers = {
    pipeSource(fd) {
      if (fd === 11) return source;
      // As the contract has it, a carrier that fails has closed its descriptor.
      closed.push(fd);
      throw new Error("no more handles");
    },
    pipeSink: unwanted,
    close: (fd) => void closed.push(fd),
    terminal: unwanted,
    attach: unwanted,
    connect: unwanted,
  };
  await assert.rejects(exec(carriers, ask, silentLogger, request, streams, new AbortController().signal), {
    message: "no more handles",
  });
  assert.deepEqual(asked, ["startExec", "execEnded", "killExec"]);
  assert.deepEqual(closed, [12, 10]);
  assert.equal(source.destroyed, true);
});
