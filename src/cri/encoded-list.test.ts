import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Container } from "#domain/container/container.ts";
import { exampleContainer, exampleImage, exampleSandbox } from "#domain/pod/entity-examples.ts";
import { EncodedItems } from "./encoded-list.ts";
import {
  ContainerSchema,
  ContainerState,
  ImageStatusResponseSchema,
  ListContainersResponseSchema,
  ListImagesResponseSchema,
  ListPodSandboxResponseSchema,
  StreamContainersResponseSchema,
} from "./gen/runtime/v1/api_pb.ts";
import { containerItems, imageItems, sandboxItems } from "./items.ts";
import { containerToWire } from "./translate/container-status.ts";
import { imageToWire } from "./translate/image.ts";
import { sandboxToWire } from "./translate/sandbox-status.ts";

function containers(count: number): Container[] {
  return Array.from({ length: count }, (_, index) =>
    exampleContainer({ id: String(index).padStart(64, "0"), logPath: "x".repeat(index) }),
  );
}

describe("encoded lists", () => {
  it("are the bytes of the plain response", () => {
    const entities = containers(3);
    const plain = create(ListContainersResponseSchema, { containers: entities.map(containerToWire) });
    const bytes = containerItems.list(ListContainersResponseSchema, entities).frame.subarray(5);
    assert.deepEqual(bytes, Buffer.from(toBinary(ListContainersResponseSchema, plain)));
    assert.equal(containerItems.list(ListContainersResponseSchema, []).frame.subarray(5).length, 0);
  });

  it("are so for sandboxes and images too", () => {
    const sandbox = exampleSandbox();
    const image = exampleImage({ config: { rootfs: { type: "layers", diff_ids: [] }, config: { User: "12:3" } } });
    assert.deepEqual(
      sandboxItems.list(ListPodSandboxResponseSchema, [sandbox]).frame.subarray(5),
      Buffer.from(
        toBinary(
          ListPodSandboxResponseSchema,
          create(ListPodSandboxResponseSchema, { items: [sandboxToWire(sandbox)] }),
        ),
      ),
    );
    assert.deepEqual(
      imageItems.list(ListImagesResponseSchema, [image]).frame.subarray(5),
      Buffer.from(
        toBinary(ListImagesResponseSchema, create(ListImagesResponseSchema, { images: [imageToWire(image)] })),
      ),
    );
  });

  it("encode an entity once, and its successor anew", () => {
    const translated: string[] = [];
    const items = new EncodedItems<Container, typeof ContainerSchema>(ContainerSchema, (container) => {
      translated.push(container.state.kind);
      return containerToWire(container);
    });
    const running = exampleContainer();
    const created: Container = { ...running, state: { kind: "created" } };
    items.list(ListContainersResponseSchema, [running]);
    items.list(ListContainersResponseSchema, [running]);
    items.list(ListContainersResponseSchema, [created]);
    assert.deepEqual(translated, ["running", "created"]);
  });

  it("come in batches of at most 1000 and in none when there is nothing", () => {
    const entities = containers(2001);
    const decoded = [...containerItems.batches(StreamContainersResponseSchema, entities)].map((batch) =>
      fromBinary(StreamContainersResponseSchema, batch.frame.subarray(5)).containers.map(({ id }) => id),
    );
    assert.deepEqual(
      decoded.map((ids) => ids.length),
      [1000, 1000, 1],
    );
    assert.deepEqual(
      decoded.flat(),
      entities.map(({ id }) => id),
    );
    assert.deepEqual([...containerItems.batches(StreamContainersResponseSchema, [])], []);
  });

  it("are the same message for as long as every entity is, when they are long", () => {
    const entities = containers(100);
    const first = containerItems.list(ListContainersResponseSchema, entities);
    assert.equal(containerItems.list(ListContainersResponseSchema, [...entities]), first);
    const [one, ...others] = entities;
    assert.ok(one !== undefined);
    const changed = [{ ...one, state: { kind: "created" as const } }, ...others];
    const idsAndStates = (list: readonly Container[]) =>
      fromBinary(
        ListContainersResponseSchema,
        containerItems.list(ListContainersResponseSchema, list).frame.subarray(5),
      ).containers.map(({ id, state }) => [id, state]);
    assert.deepEqual(idsAndStates(changed)[0], [one.id, ContainerState.CONTAINER_CREATED]);
    assert.deepEqual(
      idsAndStates(others).map(([id]) => id),
      others.map(({ id }) => id),
    );
    assert.deepEqual(idsAndStates([...others, one]).at(-1), [one.id, ContainerState.CONTAINER_RUNNING]);
  });

  it("refuse a response of another shape", () => {
    assert.throws(() => containerItems.list(ListPodSandboxResponseSchema, []), TypeError);
    assert.throws(() => containerItems.list(ContainerSchema, []), TypeError);
    assert.throws(() => [...containerItems.batches(ContainerSchema, [])], TypeError);
    assert.throws(() => containerItems.inField(ImageStatusResponseSchema.field.image, []), TypeError);
  });
});
