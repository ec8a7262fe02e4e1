import { request, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";

/** The answer to a GET on a unix socket or a port of the loopback. */
export async function get(
  where: { socketPath: string } | { port: number },
  url: string,
): Promise<{ status: number; type: string; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const sent = request({ ...where, path: url, agent: false, headers: { host: "crio" } }, resolve);
  sent.on("error", reject);
  sent.end();
  const response = await promise;
  return {
    status: response.statusCode ?? 0,
    type: response.headers["content-type"] ?? "",
    body: await text(response),
  };
}
