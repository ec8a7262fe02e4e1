import assert from "node:assert/strict";
import { test } from "node:test";
import { base64Codec, binaryCodec, codecOf } from "./channel-codec.ts";

test("binary messages start with the channel in one byte", () => {
  const message = binaryCodec.encode(3, Buffer.from("text"));
  assert.deepEqual(message, Buffer.from("\x03text"));
  assert.deepEqual(binaryCodec.decode(message), { channel: 3, bytes: Buffer.from("text") });
  assert.equal(binaryCodec.decode(Buffer.alloc(0)), undefined);
});

test("base64 messages start with the channel counted from the character 0", () => {
  const message = base64Codec.encode(1, Buffer.from("hello"));
  assert.equal(message.toString(), "1aGVsbG8=");
  for (const channel of [0, 9, 80, 253])
    assert.deepEqual(base64Codec.decode(base64Codec.encode(channel, Buffer.from("x"))), {
      channel,
      bytes: Buffer.from("x"),
    });
  for (const bad of ["", "0***", "0YQ=x", " YQ=="]) assert.equal(base64Codec.decode(Buffer.from(bad)), undefined);
});

test("the protocol's name tells the codec", () => {
  assert.equal(codecOf("v4.base64.channel.k8s.io"), base64Codec);
  assert.equal(codecOf("v5.channel.k8s.io"), binaryCodec);
  assert.equal(codecOf(""), binaryCodec);
});
