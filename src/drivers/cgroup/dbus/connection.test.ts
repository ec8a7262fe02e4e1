import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { DbusConnection, DbusError } from "./connection.ts";
import { decodeMessage, encodeMessage, messageType } from "./message.ts";
import type { DbusMessage } from "./message.ts";
import { textOf } from "./values.ts";

const call = { destination: "x.y", path: "/x", interface: "x.Y", member: "Do", signature: "s", body: ["now"] } as const;

/** A service that lets everybody in and answers with what `answer` gives for each call. */
async function fakeService(answer: (message: DbusMessage) => Partial<DbusMessage>[], welcome = "OK 1234\r\n") {
  const connections = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    connections.add(socket);
    let received = Buffer.alloc(0);
    let authenticated = false;
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      if (!authenticated) {
        if (received.toString("latin1").startsWith("\0AUTH EXTERNAL ") && !received.includes("BEGIN\r\n")) {
          socket.write(welcome);
          return;
        }
        authenticated = true;
        received = received.subarray(received.indexOf("BEGIN\r\n") + "BEGIN\r\n".length);
      }
      for (let next = decodeMessage(received); next !== undefined; next = decodeMessage(received)) {
        received = Buffer.from(next.rest);
        for (const message of answer(next.message)) socket.write(encodeMessage({ ...next.message, ...message }));
      }
    });
  });
  const path = `\0berth-test-${randomBytes(6).toString("hex")}`;
  server.listen(path);
  await once(server, "listening");
  return {
    path,
    hangUp: () => connections.forEach((socket) => socket.destroy()),
    [Symbol.dispose]: () => {
      connections.forEach((socket) => socket.destroy());
      server.close();
    },
  };
}

describe("a D-Bus connection", () => {
  it("gives back what the service answers, in whatever order", async () => {
    const waiting: DbusMessage[] = [];
    using service = await fakeService((message) => {
      waiting.push(message);
      if (waiting.length < 2) return [];
      return waiting.toReversed().map(({ serial, body }) => ({
        type: messageType.answer,
        replySerial: serial,
        body: [`did ${textOf(body[0])}`],
      }));
    });
    const connection = await DbusConnection.open(service.path);
    const answers = await Promise.all([connection.call(call), connection.call({ ...call, body: ["later"] })]);
    assert.deepEqual(answers, [["did now"], ["did later"]]);
    connection.close();
  });

  it("turns the service's errors into errors with their name", async () => {
    using service = await fakeService(({ serial }) => [
      { type: messageType.error, replySerial: serial, errorName: "x.NoSuchThing", body: ["there is none"] },
    ]);
    const connection = await DbusConnection.open(service.path);
    await assert.rejects(
      connection.call(call),
      (error) => error instanceof DbusError && error.dbusName === "x.NoSuchThing" && error.message === "there is none",
    );
    connection.close();
  });

  it("hands signals to who listens", async () => {
    using service = await fakeService(({ serial }) => [
      { type: messageType.signal, member: "Changed", body: ["one"] },
      { type: messageType.answer, replySerial: serial },
    ]);
    const connection = await DbusConnection.open(service.path);
    const seen: unknown[] = [];
    connection.onSignal(
      ({ member, body }) => seen.push([member, ...body]),
      () => {},
    );
    await connection.call(call);
    assert.deepEqual(seen, [["Changed", "one"]]);
    connection.close();
  });

  it("fails the calls under way when it is lost, and all that come later", async () => {
    using service = await fakeService(() => {
      service.hangUp();
      return [];
    });
    const connection = await DbusConnection.open(service.path);
    const lost = Promise.withResolvers<Error>();
    connection.onSignal(() => {}, lost.resolve);
    await assert.rejects(connection.call(call), { kind: "unavailable", message: /x\.y did not answer Do/ });
    await lost.promise;
    assert.equal(connection.isOpen, false);
    await assert.rejects(connection.call(call), { kind: "unavailable" });
  });

  it("says which socket refused it", async () => {
    using service = await fakeService(() => [], "REJECTED EXTERNAL\r\n");
    await assert.rejects(DbusConnection.open(service.path), { kind: "unavailable", message: /refused: REJECTED/ });
    await assert.rejects(DbusConnection.open("/nonexistent/bus"), {
      kind: "unavailable",
      message: /\/nonexistent\/bus.*ENOENT/,
    });
  });
});
