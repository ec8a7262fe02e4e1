/** The protocol names that clients negotiate, best first. */

/** Exec and attach over SPDY, in X-Stream-Protocol-Version. v5 adds nothing to SPDY, which can half-close already. */
export const spdyRemoteCommandProtocols = [
  "v4.channel.k8s.io",
  "v3.channel.k8s.io",
  "v2.channel.k8s.io",
  "channel.k8s.io",
] as const;

export const spdyPortForwardProtocols = ["portforward.k8s.io"] as const;

/** Exec and attach over WebSocket, in Sec-WebSocket-Protocol. */
export const webSocketRemoteCommandProtocols = [
  "v5.channel.k8s.io",
  "v4.channel.k8s.io",
  "v4.base64.channel.k8s.io",
  "v3.channel.k8s.io",
  "v2.channel.k8s.io",
  "channel.k8s.io",
  "base64.channel.k8s.io",
] as const;

/** SPDY inside WebSocket messages. */
export const tunnelProtocol = "SPDY/3.1+portforward.k8s.io";

export const webSocketPortForwardProtocols = [
  tunnelProtocol,
  "v4.channel.k8s.io",
  "v4.base64.channel.k8s.io",
  "portforward.k8s.io",
] as const;

/** The names in a comma-separated header, which Node also joins repeated headers into. */
export function namesInHeader(value: string | string[] | undefined): string[] {
  return [value ?? []]
    .flat()
    .join(",")
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean);
}

/** The first name that the client offers and the server knows: the client's order decides, as in Kubernetes. */
export function chooseProtocol(offered: readonly string[], supported: readonly string[]): string | undefined {
  return offered.find((name) => supported.includes(name));
}
