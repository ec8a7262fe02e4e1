import { setTimeout as delay } from "node:timers/promises";
import { DomainError, hasErrno, messageOf } from "#errors/domain-error.ts";
import { connectPacketSocket, shutdownWriting } from "#kernel/unix-socket.ts";
import { DescriptorStream } from "./descriptor-stream.ts";
import type { AttachedContainer, AttachOutput } from "./index.ts";

/** conmon takes 32 KiB of a packet at most, some of its versions a byte less, and drops the rest. */
const maxInputPacketBytes = 8192;
/** A monitor has room for ten clients that it has not accepted yet. */
const connectTries = 50;
const connectPauseMs = 20;

/** Joins a container by its conmon: a socket of packets, of which the first byte of those to us names the stream. */
export async function attachToMonitor(socketPath: string): Promise<AttachedContainer> {
  const stream = new DescriptorStream(await connect(socketPath), {
    packets: true,
    maxWriteBytes: maxInputPacketBytes,
    endErrors: [],
    // A monitor has ended without reading all of our input; what it has sent before is still there (unix(7)).
    passingErrors: ["ECONNRESET"],
    goneErrors: ["EPIPE", "ECONNRESET"],
    endWriting: shutdownWriting,
  });
  return {
    output: outputOf(stream),
    input: stream,
    close: () => void stream.destroy(),
  };
}

async function connect(socketPath: string): Promise<number> {
  for (let tries = 1; ; tries += 1) {
    try {
      return connectPacketSocket(socketPath);
    } catch (error) {
      if (hasErrno(error, "EAGAIN") && tries < connectTries) await delay(connectPauseMs);
      else {
        throw new DomainError("unavailable", `cannot attach at ${socketPath}: ${messageOf(error)}`, { cause: error });
      }
    }
  }
}

async function* outputOf(stream: DescriptorStream): AsyncGenerator<AttachOutput> {
  const standardError = 3;
  try {
    for await (const packet of stream as AsyncIterable<Buffer>)
      yield { stream: packet[0] === standardError ? "stderr" : "stdout", bytes: packet.subarray(1) };
  } catch (error) {
    if (!hasErrno(error, "ERR_STREAM_PREMATURE_CLOSE")) throw error;
  }
}
