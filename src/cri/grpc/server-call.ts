import { constants, type ServerHttp2Stream } from "node:http2";
import { DomainError } from "#errors/domain-error.ts";
import { longestTimerMs } from "#lib/longest-timer.ts";
import { acceptedEncodings } from "./decompress.ts";
import { statusCodes, type GrpcFailure } from "./status-codes.ts";
import { encodeStatusMessage } from "./status-message.ts";

const { NGHTTP2_CANCEL } = constants;

/** As a list, since node:http2 copies an object for each answer. It adds to neither as long as there is a status and no date is asked for. */
const responseHeaders = [":status", "200", "content-type", "application/grpc"];
/** Nobody reads the date of an answer, which node:http2 would add to each (and documents for its other interface only). */
const beforeTrailers = { waitForTrailers: true, sendDate: false };
const withoutTrailers = { endStream: true, sendDate: false };
const okTrailers = { "grpc-status": "0" };

/** The server's end of one call: exactly one of `answer`, `end` and `fail` ends it, and what comes after that does nothing. */
export class ServerCall {
  /** When the client gives up, in milliseconds since the epoch; undefined when it waits for ever. */
  readonly deadlineMs: number | undefined;
  /** Called once, when the client hangs up or its deadline passes before the call has ended. */
  onGone: ((reason: DomainError) => void) | undefined;
  readonly #stream: ServerHttp2Stream;
  readonly #timer: NodeJS.Timeout | undefined;
  #hasEnded = false;
  #clientHasGone = false;
  #controller: AbortController | undefined;
  #abortReason: DomainError | undefined;

  constructor(stream: ServerHttp2Stream, timeoutMs: number | undefined) {
    this.#stream = stream;
    if (timeoutMs !== undefined) {
      this.deadlineMs = Date.now() + timeoutMs;
      // Nobody waits longer: a later deadline needs no timer.
      if (timeoutMs <= longestTimerMs) this.#timer = setTimeout(() => this.#expire(), timeoutMs);
    }
    // Not "once", which makes two objects more: these events come once.
    stream.on("close", () => this.#onClose());
    stream.on("error", ignore);
  }

  /** Aborts when the client hangs up, its deadline passes, or `abort` is called; not when the call has ended before. */
  get signal(): AbortSignal {
    // Most calls never look at it, and one is dear.
    this.#controller ??= new AbortController();
    if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    return this.#controller.signal;
  }

  /** The client has hung up, or its deadline is over: nobody will see an answer. */
  get clientHasGone(): boolean {
    return this.#clientHasGone;
  }

  /** Tells whoever works on the call to stop; ending it is left to them. */
  abort(reason: DomainError): void {
    this.#abortReason ??= reason;
    this.#controller?.abort(reason);
  }

  /** Ends the call with one message, which has its prefix. */
  answer(frame: Buffer): void {
    if (!this.#finish()) return;
    this.#stream.on("wantTrailers", sendOkTrailers);
    this.#stream.respond(responseHeaders, beforeTrailers);
    this.#stream.end(frame);
  }

  /** Sends one message of several, with its prefix. False when the client is slow: wait for `drained` before the next. */
  write(frame: Buffer): boolean {
    if (this.#hasEnded || this.#stream.destroyed) return false;
    if (!this.#stream.headersSent) this.#stream.respond(responseHeaders, beforeTrailers);
    return this.#stream.write(frame);
  }

  /** Resolves when the client has taken what was written, and when the call is aborted. */
  drained(): Promise<void> {
    const { signal } = this;
    const stream = this.#stream;
    return new Promise((resolve) => {
      const done = (): void => {
        stream.off("drain", done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      stream.once("drain", done);
      if (signal.aborted) done();
      else signal.addEventListener("abort", done);
    });
  }

  /** Ends the call after the last message. */
  end(): void {
    if (!this.#finish()) return;
    this.#stream.on("wantTrailers", sendOkTrailers);
    if (!this.#stream.headersSent) this.#stream.respond(responseHeaders, beforeTrailers);
    this.#stream.end();
  }

  /** Ends the call with a failure, behind the messages that were written. */
  fail({ codeName, details }: GrpcFailure): void {
    if (!this.#finish()) return;
    const stream = this.#stream;
    const trailers: Record<string, string> = {
      "grpc-status": String(statusCodes[codeName]),
      "grpc-message": encodeStatusMessage(details),
      // Asked for where a request is compressed in a way that is not served.
      ...(codeName === "UNIMPLEMENTED" ? { "grpc-accept-encoding": acceptedEncodings } : {}),
    };
    if (stream.headersSent) {
      stream.on("wantTrailers", () => stream.sendTrailers(trailers));
      stream.end();
    } else {
      stream.respond([...responseHeaders, ...Object.entries(trailers).flat()], withoutTrailers);
    }
    discardRest(stream);
  }

  /** False when the call has ended already, or there is nobody left to be told. */
  #finish(): boolean {
    if (this.#hasEnded) return false;
    this.#hasEnded = true;
    clearTimeout(this.#timer);
    return !this.#stream.destroyed && !this.#stream.closed;
  }

  #expire(): void {
    this.#clientHasGone = true;
    const details = "the client's deadline is over";
    // Behind messages that the client does not take, the trailers would wait with them.
    if (this.#stream.writableLength > 0) this.#stream.close(NGHTTP2_CANCEL);
    else this.fail({ codeName: "DEADLINE_EXCEEDED", details });
    this.#finish();
    this.#gone(new DomainError("deadline-exceeded", details));
  }

  #onClose(): void {
    if (this.#hasEnded) return;
    this.#clientHasGone = true;
    this.#finish();
    this.#gone(new DomainError("cancelled", "the client has gone"));
  }

  #gone(reason: DomainError): void {
    this.onGone?.(reason);
    this.abort(reason);
  }
}

/**
 * Takes the rest of a request to nowhere. Asking the client to stop, by resetting the stream without an error (RFC 9113, 8.1),
 * would overtake the answer in nghttp2, and clients that have the answer stop by themselves.
 */
export function discardRest(stream: ServerHttp2Stream): void {
  if (!stream.readableEnded) stream.resume();
}

function sendOkTrailers(this: ServerHttp2Stream): void {
  this.sendTrailers(okTrailers);
}

/** A client that resets a stream makes an error of it; "close" follows. */
function ignore(): void {}
