// The entry point of the threads that verify and decompress layers. Apart from the other storage worker, since it needs little and so
// starts in half the time.
import { parentPort } from "node:worker_threads";
import { LayerInflater } from "../unpack/layer-inflater.ts";
import type { ToWorker } from "./protocol.ts";
import { WorkerTasks } from "./worker-tasks.ts";

const port = parentPort;
if (port === null) throw new Error("This file runs as a worker thread only.");

const tasks = new WorkerTasks(port);

port.on("message", (message: ToWorker) => {
  const { kind } = message;
  if (kind === "inflate") tasks.feed(message.task, message.request, () => new LayerInflater(message.request));
  else if (kind === "data" || kind === "end" || kind === "abort") tasks.receive(message);
  else throw new Error(`this worker does not do ${kind}`);
});
