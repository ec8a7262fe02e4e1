import type { Socket } from "node:net";

/** Who serves a connection. The bytes that were looked at are unread again. */
export interface Protocols {
  /** HTTP/2, which gRPC travels in. */
  http2(socket: Socket): void;
  /** HTTP/1, in which CRI-O answers questions on the same socket. */
  http1(socket: Socket): void;
}

/** What every HTTP/2 client sends first (RFC 9113, 3.4). No HTTP/1 request line begins so. */
const http2Preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** How long a client may take to say what it speaks. */
const firstBytesTimeoutMs = 5000;

/** Looks at the first bytes of a connection and hands it to who speaks its protocol. A client that says nothing is cut off. */
export function demultiplex(socket: Socket, protocols: Protocols): void {
  const timer = setTimeout(() => socket.destroy(), firstBytesTimeoutMs);
  const done = (): void => {
    clearTimeout(timer);
    socket.off("readable", look);
    socket.off("end", hangUp);
    socket.off("close", done);
    socket.off("error", ignore);
  };
  const look = (): void => {
    const bytes = socket.read() as Buffer | null;
    if (bytes === null) return;
    socket.unshift(bytes);
    const compared = Math.min(bytes.length, http2Preface.length);
    const isHttp2 = bytes.compare(http2Preface, 0, compared, 0, compared) === 0;
    // The rest of the preface may come in a later packet. A first packet of `P` or `PR` could begin another method too, but what is served
    // over HTTP/1 is asked for with GET.
    done();
    if (isHttp2) protocols.http2(socket);
    else protocols.http1(socket);
  };
  const hangUp = (): void => void socket.destroy();
  socket.on("readable", look);
  socket.on("end", hangUp);
  socket.on("close", done);
  socket.on("error", ignore);
}

/** A client that goes before it has said anything needs no answer; "close" follows. */
function ignore(): void {}
