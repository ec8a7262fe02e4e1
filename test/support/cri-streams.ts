import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import type { TestDaemon } from "./daemon.ts";
import { eventually } from "./eventually.ts";
import { openFilesOf } from "./footprint.ts";
import { connectSpdy, type ClientStream, type SpdyClient } from "./spdy-client.ts";
import { execOverSpdy, type SpdyExec } from "./streaming-fixture.ts";

export interface StreamFlags {
  tty?: boolean;
  stdin?: boolean;
  stdout?: boolean;
  stderr?: boolean;
}

/** The URL of an exec session. */
export async function execUrl(
  daemon: TestDaemon,
  containerId: string,
  cmd: string[],
  flags: StreamFlags,
): Promise<string> {
  return (await daemon.client.call(RuntimeService.method.exec, { containerId, cmd, ...flags })).url;
}

/** Opens an exec session over SPDY; stdout alone unless told otherwise. */
export async function execSession(
  daemon: TestDaemon,
  containerId: string,
  cmd: string[],
  flags: StreamFlags = {},
): Promise<SpdyExec> {
  const streams = { tty: false, stdin: false, stdout: true, stderr: false, ...flags };
  const url = await execUrl(daemon, containerId, cmd, streams);
  return execOverSpdy(url, { containerId, command: cmd, ...streams });
}

export async function attachSession(
  daemon: TestDaemon,
  containerId: string,
  flags: StreamFlags = {},
): Promise<SpdyExec> {
  const streams = { tty: false, stdin: false, stdout: true, stderr: false, ...flags };
  const { url } = await daemon.client.call(RuntimeService.method.attach, { containerId, ...streams });
  return execOverSpdy(url, { containerId, command: [], ...streams });
}

/** What the error stream says at the end: 0 for success, the exit code, or the text of a failure. */
export async function outcomeOf({ stream }: SpdyExec): Promise<number | string> {
  const status = JSON.parse(await text(stream("error"))) as {
    status: string;
    message?: string;
    details?: { causes: { reason: string; message: string }[] };
  };
  if (status.status === "Success") return 0;
  const code = status.details?.causes.find(({ reason }) => reason === "ExitCode")?.message;
  return code === undefined ? (status.message ?? "") : Number(code);
}

/** Runs a command to its end; closes the connection. */
export async function runExec(
  daemon: TestDaemon,
  containerId: string,
  cmd: string[],
): Promise<{ stdout: string; stderr: string; outcome: number | string }> {
  const session = await execSession(daemon, containerId, cmd, { stderr: true });
  const [stdout, stderr, outcome] = await Promise.all([
    text(session.stream("stdout")),
    text(session.stream("stderr")),
    outcomeOf(session),
  ]);
  session.client.transport.destroy();
  return { stdout, stderr, outcome };
}

/** Reads until `pattern` is in what has come; gives everything up to now and goes on where it stopped. */
export function reader(stream: ClientStream): { until(pattern: RegExp): Promise<string> } {
  let seen = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => (seen += chunk));
  return {
    until: (pattern) =>
      eventually(`${pattern} to be read, after ${JSON.stringify(seen)}`, () => (pattern.test(seen) ? seen : undefined)),
  };
}

/** A connection for forwarding to a pod's ports. */
export async function forwarding(daemon: TestDaemon, podSandboxId: string): Promise<SpdyClient> {
  const { url } = await daemon.client.call(RuntimeService.method.portForward, { podSandboxId, port: [] });
  return connectSpdy(url, "portforward.k8s.io");
}

export interface ForwardedConnection {
  readonly data: ClientStream;
  readonly error: ClientStream;
}

let requests = 0;

/** One connection through it, as kubectl opens it. */
export async function openConnection(client: SpdyClient, port: number): Promise<ForwardedConnection> {
  requests += 1;
  const headers = { port: String(port), requestid: String(requests) };
  const error = await client.openStream({ streamtype: "error", ...headers });
  error.end();
  const data = await client.openStream({ streamtype: "data", ...headers });
  return { data, error };
}

/** Asserts that the daemon comes to hold no more open files than `before`, in kind and number. */
export async function noMoreFiles(daemon: TestDaemon, before: readonly string[]): Promise<void> {
  const more = (): string[] => {
    const left = [...before];
    return openFilesOf(daemon.pid).filter((file) => {
      const at = left.indexOf(file);
      if (at >= 0) left.splice(at, 1);
      return at < 0;
    });
  };
  await eventually("files to be closed", () => (more().length === 0 ? true : undefined)).catch(() => {});
  assert.deepEqual(more(), []);
}
