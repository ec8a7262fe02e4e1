import assert from "node:assert/strict";
import { closeSync, writeSync } from "node:fs";
import { describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { pipe } from "#kernel/pipe.ts";

/** Runs `program` in a thread, with the end of a pipe to read from as `fd`, until it has died of its exception. */
async function die(program: string, fd: number): Promise<void> {
  const code = `const { workerData: fd } = require("node:worker_threads"); ${program}`;
  const worker = new Worker(code, { eval: true, workerData: fd, trackUnmanagedFds: false });
  const failure = new Promise((resolve) => worker.once("error", resolve));
  await new Promise((resolve) => worker.once("exit", resolve));
  assert.match(String(await failure), /a bug/);
}

const imported = (file: string): string => `import(${JSON.stringify(import.meta.resolve(file))})`;

describe("when a thread dies of an exception", () => {
  for (const [what, program] of Object.entries({
    "a descriptor that is ready is closed, and the program goes on": `
      ${imported("./owned-descriptor.ts")}.then(({ OwnedDescriptor }) => {
        const poll = new OwnedDescriptor(fd).poll(() => { throw new Error("a bug"); });
        poll.want({ readable: true, writable: false });
      });`,
    "the descriptor of a stream is closed": `
      ${imported("./descriptor-stream.ts")}.then(({ DescriptorStream }) => {
        const options = { packets: false, maxWriteBytes: 1, endErrors: [], passingErrors: [], goneErrors: [], endWriting() {} };
        new DescriptorStream(fd, options).on("data", () => setImmediate(() => { throw new Error("a bug"); }));
      });`,
  })) {
    it(what, async () => {
      const { readFd, writeFd } = pipe();
      try {
        writeSync(writeFd, "x");
        await die(program, readFd);
        assert.throws(() => writeSync(writeFd, "x"), { code: "EPIPE" });
      } finally {
        closeSync(writeFd);
      }
    });
  }
});
