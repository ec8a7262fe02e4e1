import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { copyOutput, feed } from "./pump.ts";

describe("input", () => {
  it("is ended with its source", async () => {
    const [from, to] = [new PassThrough(), new PassThrough()];
    feed(from, to);
    from.end("all of it");
    assert.equal(await text(to), "all of it");
  });

  it("is thrown away once nobody takes it, so that its sender is not held back", async () => {
    const from = new PassThrough();
    const to = new Writable({ write: (_chunk, _encoding, done) => done(new Error("EPIPE")) });
    feed(from, to);
    from.end(Buffer.alloc(1_000_000));
    await once(from, "end");
    assert.ok(to.destroyed);
  });
});

describe("output", () => {
  const never = new Promise<void>(() => {});

  it("is copied until it ends, and its taker is left open", async () => {
    const [from, to] = [new PassThrough(), new PassThrough()];
    const copying = copyOutput(from, to, never, 1);
    from.end("words");
    await copying;
    assert.equal(String(to.read()), "words");
    assert.ok(!to.writableEnded);
  });

  it("is given up when the command has ended and nothing comes any more", async () => {
    const [from, to] = [new PassThrough(), new PassThrough()];
    const command = Promise.withResolvers<void>();
    const copying = copyOutput(from, to, command.promise, 1);
    from.write("last words");
    command.resolve();
    await copying;
    assert.equal(String(to.read()), "last words");
  });

  it("closes its source when nobody takes it", async () => {
    const [from, to] = [new PassThrough(), new PassThrough()];
    const copying = copyOutput(from, to, never, 1);
    to.destroy();
    await copying;
    assert.ok(from.destroyed);
  });

  it("waits for a slow taker, however long", async () => {
    const from = new PassThrough();
    const taken = Promise.withResolvers<() => void>();
    const to = new Writable({
      highWaterMark: 1,
      write: (_chunk, _encoding, done) => taken.resolve(() => done()),
    });
    const command = Promise.resolve();
    let isOver = false;
    const copying = copyOutput(from, to, command, 1).then(() => (isOver = true));
    from.write("slow");
    const take = await taken.promise;
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(!isOver);
    take();
    await copying;
  });
});
