import assert from "node:assert/strict";
import { it } from "node:test";
import { silentLogger } from "#observability/logger.ts";
import { Edge } from "./edge.ts";
import { fakeRuntime } from "./fake-runtime.ts";
import { RuntimeService } from "./gen/runtime/v1/api_pb.ts";
import { framed, open, serveGrpc } from "./grpc/server-for-tests.ts";

it("a call whose answer cannot be sent is counted once, as one that failed", async (test) => {
  const operations: unknown[] = [];
  const counted = Promise.withResolvers<void>();
  const edge = new Edge({
    runtime: fakeRuntime({}),
    streaming: undefined,
    logger: silentLogger,
    metrics: { onOperation: (name, _durationMs, errorCode) => void operations.push([name, errorCode]) },
    maxSendBytes: 1000,
  });
  const version = edge.unary(RuntimeService.method.version, async () => ({ version: "1" }));
  await using server = await serveGrpc({
    Version(request, call) {
      test.mock.method(call, "answer", () => {
        throw new Error("the stream is gone");
      });
      test.mock.method(call, "fail", () => counted.resolve());
      version(request, call);
    },
  });
  open(server.connect(), "Version").end(framed(""));
  await counted.promise;
  assert.deepEqual(operations, [["Version", "INTERNAL"]]);
});
