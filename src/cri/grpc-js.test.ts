import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import {
  create,
  fromBinary,
  toBinary,
  type DescMethod,
  type MessageInitShape,
  type DescMessage,
} from "@bufbuild/protobuf";
import { Client, compressionAlgorithms, credentials, Metadata, status, type ServiceError } from "@grpc/grpc-js";
import { exampleContainer } from "#domain/pod/entity-examples.ts";
import { DomainError } from "#errors/domain-error.ts";
import { RuntimeService, type ListContainersResponse } from "./gen/runtime/v1/api_pb.ts";
import { methodPath } from "./method-path.ts";
import { serve, type ServerForTests } from "./server-for-tests.ts";

const { method: rpc } = RuntimeService;

/** A client that is not ours, and so misunderstands nothing in the same way. */
function foreignClient({ socketPath }: ServerForTests, options: Record<string, unknown> = {}): Client & Disposable {
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure(), {
    "grpc.default_authority": "localhost",
    "grpc.use_local_subchannel_pool": 1,
    ...options,
  });
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

/** The wire of a method, for grpc-js. */
function wireOf<I extends DescMessage, O extends DescMessage>(method: DescMethod & { input: I; output: O }) {
  return [
    methodPath(method),
    (message: MessageInitShape<I>) => Buffer.from(toBinary(method.input, create(method.input, message))),
    (bytes: Buffer) => fromBinary(method.output, bytes),
  ] as const;
}

function listContainers(client: Client): Promise<ListContainersResponse> {
  return new Promise((resolve, reject) =>
    client.makeUnaryRequest(...wireOf(rpc.listContainers), {}, (error, answer) =>
      answer === undefined ? reject(error ?? new Error("no answer")) : resolve(answer),
    ),
  );
}

describe("grpc-js as a client", () => {
  it("gets a list that is far larger than the window, again and again", async () => {
    const containers = Array.from({ length: 3000 }, (_, index) => exampleContainer({ id: `c${index}` }));
    await using cri = await serve({ containers: { list: () => containers } });
    using client = foreignClient(cri);
    for (let count = 0; count < 3; count += 1) {
      const listed = await listContainers(client);
      assert.equal(listed.containers.length, 3000);
      assert.equal(listed.containers[2999]?.id, "c2999");
    }
  });

  it("gets an answer beyond the limit as RESOURCE_EXHAUSTED", async () => {
    const containers = Array.from({ length: 10 }, (_, index) =>
      exampleContainer({ id: `c${index}`, imageRef: "x".repeat(1_100_000) }),
    );
    await using cri = await serve({ containers: { list: () => containers } });
    using client = foreignClient(cri);
    await assert.rejects(listContainers(client), { code: status.RESOURCE_EXHAUSTED });
    assert.deepEqual(cri.operations, [["ListContainers", "RESOURCE_EXHAUSTED"]]);
  });

  it("gets a failure with its code and its words, whatever they are", async () => {
    const words = 'no such thing: "ü %41 \n 😀" ';
    await using cri = await serve({
      containers: {
        list: () => {
          throw new DomainError("already-exists", words);
        },
      },
    });
    using client = foreignClient(cri);
    await assert.rejects(listContainers(client), { code: status.ALREADY_EXISTS, details: words });
  });

  it("may compress its requests", async () => {
    const ids: unknown[] = [];
    const containers = {
      list: (filter: { id?: string }) => {
        ids.push(filter.id);
        return [];
      },
    };
    await using cri = await serve({ containers });
    using client = foreignClient(cri, { "grpc.default_compression_algorithm": compressionAlgorithms.gzip });
    const id = "ab".repeat(2000);
    await new Promise((resolve, reject) =>
      client.makeUnaryRequest(...wireOf(rpc.listContainers), { filter: { id } }, (error, answer) =>
        error === null ? resolve(answer) : reject(error),
      ),
    );
    assert.deepEqual(ids, [id]);
  });

  it("is told when its request is none", async () => {
    await using cri = await serve({});
    using client = foreignClient(cri);
    const failed = new Promise<ServiceError | null>((resolve) =>
      client.makeUnaryRequest(
        methodPath(rpc.version),
        () => Buffer.from([0xff, 0xff]),
        (bytes) => bytes,
        {},
        (error) => resolve(error),
      ),
    );
    assert.equal((await failed)?.code, status.INTERNAL);
  });

  it("reads a stream to its end, and hangs up on another", async () => {
    const containers = Array.from({ length: 2001 }, (_, index) => exampleContainer({ id: `c${index}` }));
    const aborted = Promise.withResolvers<void>();
    await using cri = await serve({
      containers: { list: () => containers },
      events: {
        async *subscribe(signal) {
          signal.addEventListener("abort", () => aborted.resolve());
          yield { containerId: "c", type: "started", createdAtNs: "1", sandbox: undefined, containers: [] };
          await aborted.promise;
        },
      },
    });
    using client = foreignClient(cri);
    const batches = client.makeServerStreamRequest(...wireOf(rpc.streamContainers), {}, new Metadata());
    assert.equal((await Array.fromAsync(batches)).length, 3);
    const events = client.makeServerStreamRequest(...wireOf(rpc.getContainerEvents), {}, new Metadata());
    events.on("error", () => {});
    await once(events, "data");
    events.cancel();
    await aborted.promise;
  });

  it("has its deadline kept for it", async () => {
    const never = new Promise<void>(() => {});
    await using cri = await serve({ containers: { start: () => never } });
    using client = foreignClient(cri);
    const failed = new Promise<ServiceError | null>((resolve) =>
      client.makeUnaryRequest(
        ...wireOf(rpc.startContainer),
        { containerId: "c" },
        new Metadata(),
        { deadline: Date.now() + 50 },
        (error) => resolve(error),
      ),
    );
    assert.equal((await failed)?.code, status.DEADLINE_EXCEEDED);
  });
});
