import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createLogger } from "#observability/create-logger.ts";
import type { StreamingUrls } from "./call.ts";
import { connect, type CriClient } from "./client.ts";
import { fakeRuntime, type ExpectedCalls } from "./fake-runtime.ts";
import { createCriServer, type CriServer } from "./server.ts";

/** A server on a socket of its own, and a client of it; disposing ends both. */
export interface ServerForTests extends AsyncDisposable {
  server: CriServer;
  client: CriClient;
  socketPath: string;
  logLines: string[];
  operations: [name: string, errorCode: string | undefined][];
}

/** Serves a runtime of which the test expects these calls. */
export async function serve(
  expected: ExpectedCalls,
  settings: { streaming?: StreamingUrls; socketPath?: string } = {},
): Promise<ServerForTests> {
  const folder = mkdtempSync(path.join(tmpdir(), "berth-server-"));
  const socketPath = settings.socketPath ?? path.join(folder, "cri.sock");
  const logLines: string[] = [];
  const operations: ServerForTests["operations"] = [];
  const server = createCriServer({
    runtime: fakeRuntime(expected),
    socketPath,
    logger: createLogger({ level: "debug", format: "text", write: (line) => logLines.push(line) }),
    metrics: { onOperation: (name, _durationMs, errorCode) => operations.push([name, errorCode]) },
    maxReceiveBytes: 100_000,
    maxSendBytes: 10_000_000,
    ...(settings.streaming === undefined ? {} : { streaming: settings.streaming }),
  });
  await server.listen();
  const client = connect(socketPath, { defaultTimeoutMs: 10_000 });
  return {
    server,
    client,
    socketPath,
    logLines,
    operations,
    async [Symbol.asyncDispose]() {
      client.close();
      await server.close(0);
      rmSync(folder, { recursive: true });
    },
  };
}
