import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import koffi from "koffi";
import { DescriptorPoll } from "./descriptor-poll.ts";
import { check, libc } from "./libc.ts";
import { PacketListener, unixAddress } from "./packet-listener.ts";
import { acceptDescriptor, connectPacketSocket, listenOnUnixSocket, shutdownWriting } from "./unix-socket.ts";

const socket = libc.func("int socket(int, int, int)") as (domain: number, type: number, protocol: number) => number;
const connect = libc.func("int connect(int, void *, unsigned int)") as (
  fd: number,
  address: Buffer,
  length: number,
) => number;
const sendmsg = libc.func("int64_t sendmsg(int, void *, int)") as (
  fd: number,
  message: Buffer,
  flags: number,
) => number;

/** What an OCI runtime does with the master end of a terminal. */
function sendDescriptor(file: string, descriptor: number): void {
  const fd = check(socket(1, 1, 0), "socket");
  const address = unixAddress(file);
  check(connect(fd, address, address.length), "connect");
  const data = Buffer.from("/dev/ptmx");
  const vector = Buffer.alloc(16);
  vector.writeBigUInt64LE(koffi.address(data), 0);
  vector.writeBigUInt64LE(BigInt(data.length), 8);
  const control = Buffer.alloc(24);
  control.writeBigUInt64LE(20n, 0);
  control.writeInt32LE(1, 8);
  control.writeInt32LE(1, 12);
  control.writeInt32LE(descriptor, 16);
  const message = Buffer.alloc(56);
  message.writeBigUInt64LE(koffi.address(vector), 16);
  message.writeBigUInt64LE(1n, 24);
  message.writeBigUInt64LE(koffi.address(control), 32);
  message.writeBigUInt64LE(24n, 40);
  check(sendmsg(fd, message, 0), "sendmsg");
  closeSync(fd);
}

/** Reads once the descriptor has something. */
async function readOf(fd: number): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const poll = new DescriptorPoll(fd, resolve);
  poll.want({ readable: true, writable: false });
  await promise;
  poll.close();
  const buffer = Buffer.alloc(100);
  return buffer.subarray(0, readSync(fd, buffer));
}

describe("unix sockets", () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(path.join(os.tmpdir(), "unix-socket-"))));
  afterEach(() => rmSync(directory, { recursive: true }));

  it("receive the descriptor that a client has sent before it went", () => {
    const place = path.join(directory, "console");
    const file = path.join(directory, "file");
    writeFileSync(file, "content");
    const listening = listenOnUnixSocket(place);
    assert.throws(() => acceptDescriptor(listening), { code: "EAGAIN" });
    const sent = openSync(file, "r");
    sendDescriptor(place, sent);
    closeSync(sent);
    const received = acceptDescriptor(listening);
    const buffer = Buffer.alloc(7);
    readSync(received, buffer);
    assert.equal(String(buffer), "content");
    closeSync(received);
    closeSync(listening);
  });

  it("keep packets apart, and tell the end of one half", async () => {
    const place = path.join(directory, "attach");
    using listener = new PacketListener(place);
    const ours = connectPacketSocket(place);
    const theirs = listener.accept();
    writeSync(theirs, "one");
    writeSync(theirs, "two");
    assert.equal(String(await readOf(ours)), "one");
    assert.equal(String(await readOf(ours)), "two");
    assert.throws(() => readSync(ours, Buffer.alloc(1)), { code: "EAGAIN" });
    shutdownWriting(ours);
    assert.equal(readSync(theirs, Buffer.alloc(1)), 0);
    writeSync(theirs, "still");
    assert.equal(String(await readOf(ours)), "still");
    for (const fd of [theirs, ours]) closeSync(fd);
  });

  it("may be at paths longer than a socket's address", () => {
    const place = path.join(directory, "d".repeat(200));
    assert.throws(() => connectPacketSocket(place), { code: "ENOENT" });
    writeFileSync(place, "");
    assert.throws(() => connectPacketSocket(place), { code: "ECONNREFUSED" });
    const deep = path.join(directory, "e".repeat(200), "console");
    assert.throws(() => listenOnUnixSocket(deep), { code: "ENOENT" });
  });
});
