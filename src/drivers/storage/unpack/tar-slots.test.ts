import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { MessageChannel } from "node:worker_threads";
import { TarReceiver, TarSender } from "./tar-slots.ts";

const content = randomBytes(10_000_001);

describe("TarSender and TarReceiver", () => {
  it("carry bytes in order, whatever the pieces, and the end after them", async () => {
    const { port1, port2 } = new MessageChannel();
    const received: Buffer[] = [];
    const ended = Promise.withResolvers<void>();
    const sink = { write: (bytes: Buffer) => void received.push(Buffer.from(bytes)), end: () => ended.resolve() };
    using _ = new TarReceiver(port2, sink, (step) => step());
    using sender = new TarSender(port1);
    const pieceBytes = 777_777;
    for (let offset = 0; offset < content.length; offset += pieceBytes) {
      await sender.send(content.subarray(offset, offset + pieceBytes));
    }
    sender.end();
    await ended.promise;
    assert.ok(Buffer.concat(received).equals(content));
  });

  it("make the sender wait for the receiver", async () => {
    const { port1, port2 } = new MessageChannel();
    using sender = new TarSender(port1);
    const sent = sender.send(content);
    assert.ok(sent instanceof Promise);
    let taken = 0;
    const sink = { write: (bytes: Buffer) => void (taken += bytes.length), end: () => undefined };
    using _ = new TarReceiver(port2, sink, (step) => step());
    await sent;
    // What does not fill a slot is sent at the end.
    assert.ok(taken > content.length / 2);
  });
});
