/** The streaming worker: builds the backend and the server, and serves the calls of the thread that started it. */
import { parentPort, workerData } from "node:worker_threads";
import { DomainError } from "#errors/domain-error.ts";
import type { AttachRequest, CreateBackend, ExecRequest, PortForwardRequest } from "./backend.ts";
import { createStreamingServer, type StreamingServer } from "./server.ts";
import { forwardingLogger } from "./worker-logger.ts";
import { WorkerRpc } from "./worker-rpc.ts";
import type { WorkerData } from "./worker.ts";

const port = parentPort;
if (port === null) throw new Error("worker-main.ts runs in a worker thread only");

const data = workerData as WorkerData;
let server: StreamingServer | undefined;

const rpc = new WorkerRpc(port, async (method, payload) => {
  if (method === "listen") {
    server = await build();
    return server.listen();
  }
  if (server === undefined) throw new DomainError("unavailable", "the streaming server is not listening");
  switch (method) {
    case "execUrl":
      return server.execUrl(payload as ExecRequest);
    case "attachUrl":
      return server.attachUrl(payload as AttachRequest);
    case "portForwardUrl":
      return server.portForwardUrl(payload as PortForwardRequest);
    case "reloadTls":
      return server.reloadTls();
    case "stats":
      return server.stats();
    case "close":
      await server.close();
      // Nothing is left to do; the port would keep the thread alive. The answer to this call goes out first.
      setImmediate(() => port.close());
      return undefined;
    default:
      throw new DomainError("unimplemented", `the streaming worker knows no method ${method}`);
  }
});

async function build(): Promise<StreamingServer> {
  const logger = forwardingLogger((line) => void rpc.call("log", line).catch(() => {}));
  const { createBackend } = (await import(data.backend.url)) as { createBackend: CreateBackend };
  const ask = (method: string, payload: unknown) => rpc.call(method, payload);
  const backend = await createBackend({ config: data.backend.config, logger, ask });
  return createStreamingServer(data.options, backend, logger);
}
