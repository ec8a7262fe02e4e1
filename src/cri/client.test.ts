import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import {
  Server,
  ServerCredentials,
  status,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { connect, CriCallError, type CriClient } from "./client.ts";
import {
  ContainerEventResponseSchema,
  RuntimeService,
  StreamContainersResponseSchema,
  VersionResponseSchema,
} from "./gen/runtime/v1/api_pb.ts";
import { grpcDefinition } from "../../test/support/fake-cri.ts";

type AnyMessage = MessageShape<DescMessage>;
type UnaryCall = ServerUnaryCall<AnyMessage, AnyMessage>;
type StreamCall = ServerWritableStream<AnyMessage, AnyMessage>;

const authorities: string[] = [];
let streamHungUp: Promise<void>;

function fakeServer(): Server {
  const hungUp = Promise.withResolvers<void>();
  streamHungUp = hungUp.promise;
  const server = new Server();
  const { version, streamContainers, getContainerEvents, status: statusRpc } = RuntimeService.method;
  const served = [version, streamContainers, getContainerEvents, statusRpc];
  server.addService(Object.fromEntries(served.map((method) => [method.name, grpcDefinition(method)])), {
    Version: (call: UnaryCall, done: sendUnaryData<AnyMessage>) => {
      authorities.push(call.getHost());
      done(null, create(VersionResponseSchema, { runtimeName: "fake", runtimeApiVersion: "v1" }));
    },
    StreamContainers: (call: StreamCall) => {
      call.write(create(StreamContainersResponseSchema, { containers: [{ id: "a" }] }));
      call.write(create(StreamContainersResponseSchema, { containers: [{ id: "b" }] }));
      call.end();
    },
    GetContainerEvents: (call: StreamCall) => {
      call.on("cancelled", () => hungUp.resolve());
      call.write(create(ContainerEventResponseSchema, { containerId: "c" }));
    },
    Status: () => {},
  });
  return server;
}

function listen(server: Server, socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`unix:${socketPath}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    );
  });
}

describe("the CRI client", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "berth-client-"));
  const socketPath = path.join(folder, "cri.sock");
  const server = fakeServer();
  let client: CriClient;

  before(async () => {
    await listen(server, socketPath);
    client = connect(socketPath);
  });
  after(() => {
    client.close();
    server.forceShutdown();
    rmSync(folder, { recursive: true });
  });

  it("calls a unary RPC with the authority localhost", async () => {
    const answer = await client.call(RuntimeService.method.version, {});
    assert.equal(answer.runtimeName, "fake");
    assert.deepEqual(authorities, ["localhost"]);
  });

  it("yields the messages of a server stream in order", async () => {
    const ids: string[] = [];
    for await (const batch of client.stream(RuntimeService.method.streamContainers, {})) {
      ids.push(...batch.containers.map((container) => container.id));
    }
    assert.deepEqual(ids, ["a", "b"]);
  });

  it("hangs up when the reader leaves a stream early", async () => {
    for await (const event of client.stream(RuntimeService.method.getContainerEvents, {})) {
      assert.equal(event.containerId, "c");
      break;
    }
    await streamHungUp;
  });

  it("names the RPC, the code and the server's words in an error", async () => {
    await assert.rejects(client.call(RuntimeService.method.attach, {}), (error) => {
      assert.ok(error instanceof CriCallError);
      assert.equal(error.codeName, "UNIMPLEMENTED");
      assert.equal(error.rpc, "Attach");
      assert.match(error.message, /^Attach: UNIMPLEMENTED: /);
      return true;
    });
  });

  it("ends a call at its deadline", async () => {
    const call = client.call(RuntimeService.method.status, {}, { timeoutMs: 20 });
    await assert.rejects(call, { codeName: "DEADLINE_EXCEEDED", code: status.DEADLINE_EXCEEDED });
  });

  it("waits for an answer as long as it is told, also longer than a timer of Node", async () => {
    const answer = await client.call(RuntimeService.method.version, {}, { timeoutMs: 2 ** 40 });
    assert.equal(answer.runtimeName, "fake");
  });

  it("ends a call when its signal aborts", async () => {
    const hangUp = new AbortController();
    const call = client.call(RuntimeService.method.status, {}, { signal: hangUp.signal });
    hangUp.abort();
    await assert.rejects(call, { codeName: "CANCELLED" });
  });

  it("waits for a server that is not there yet", async () => {
    const latePath = path.join(folder, "late.sock");
    using late = connect(latePath);
    const ready = late.ready(10_000);
    await assert.rejects(late.call(RuntimeService.method.version, {}), { codeName: "UNAVAILABLE" });
    const lateServer = fakeServer();
    await listen(lateServer, latePath);
    await ready;
    lateServer.forceShutdown();
  });

  it("answers UNAVAILABLE when nobody listens", async () => {
    using nobody = connect(path.join(folder, "nobody.sock"));
    await assert.rejects(nobody.call(RuntimeService.method.version, {}), { codeName: "UNAVAILABLE" });
  });
});
