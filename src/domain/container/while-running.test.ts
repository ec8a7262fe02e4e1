import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DomainError } from "#errors/domain-error.ts";
import type { Container } from "./container.ts";
import { whileRunning } from "./while-running.ts";

const container = { id: "c", process: { pid: 7, startTime: "1" } } as Container;
const inIt = (isAlive: boolean, work: Promise<number>): Promise<number> =>
  whileRunning(
    { processes: { isAlive: () => isAlive } } as unknown as Parameters<typeof whileRunning>[0],
    container,
    work,
  );
const failure = new DomainError("invalid-argument", "no such file");

describe("work in a running container", () => {
  it("gives what it gives, whether the container has ended by then or not", async () => {
    assert.equal(await inIt(true, Promise.resolve(1)), 1);
    assert.equal(await inIt(false, Promise.resolve(2)), 2);
  });

  it("fails as it fails while the container runs", async () => {
    await assert.rejects(inIt(true, Promise.reject(failure)), failure);
  });

  it("fails because the container has ended, if it has", async () => {
    await assert.rejects(inIt(false, Promise.reject(failure)), {
      kind: "failed-precondition",
      message: "container c has ended meanwhile: no such file",
    });
  });
});
