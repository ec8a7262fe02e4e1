import type { ServerHttp2Stream } from "node:http2";
import { DomainError } from "#errors/domain-error.ts";
import { decompress } from "./decompress.ts";
import { MessageReader, type ReceivedMessage } from "./message-frame.ts";

/** Gets the bytes of the request, or what is wrong with it; one of them, once. Neither when the client hangs up first. */
export interface RequestReceiver {
  received(request: Buffer): void;
  refused(error: unknown): void;
}

/** Reads the one message that a call of ours has, whatever pieces it comes in. `encoding` is how it may be compressed. */
export function receiveRequest(
  stream: ServerHttp2Stream,
  encoding: string,
  maxBytes: number,
  receiver: RequestReceiver,
): void {
  const reader = new MessageReader(maxBytes);
  let message: ReceivedMessage | undefined;
  const stop = (error: unknown): void => {
    stream.off("data", take);
    stream.off("end", finish);
    message = undefined;
    receiver.refused(error);
  };
  const take = (chunk: Buffer): void => {
    try {
      reader.push(chunk);
      message ??= reader.next();
      if (message !== undefined && !reader.isEmpty) stop(notOne("more than one request"));
    } catch (error) {
      stop(error);
    }
  };
  const finish = (): void => {
    const request = message;
    // The stream may be kept after its call, and with it this closure: not what was said in it.
    message = undefined;
    if (!reader.isEmpty) stop(new DomainError("internal", "the request ends in the middle"));
    else if (request === undefined) stop(notOne("no request"));
    else if (!request.isCompressed) receiver.received(request.bytes);
    else decompress(request.bytes, encoding, maxBytes).then((bytes) => receiver.received(bytes), stop);
  };
  stream.on("data", take);
  stream.on("end", finish);
}

/** The status that the gRPC specification has for it is UNIMPLEMENTED: a method with a stream of requests is meant. */
function notOne(found: string): DomainError {
  return new DomainError("unimplemented", `the call takes one request; the client sent ${found}`);
}
