import type { Container } from "#domain/container/container.ts";
import type { Image } from "#domain/image/image.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import { EncodedItems } from "./encoded-list.ts";
import {
  ContainerSchema,
  ContainerStatusSchema,
  ImageSchema,
  PodSandboxSchema,
  PodSandboxStatusSchema,
} from "./gen/runtime/v1/api_pb.ts";
import { containerStatusToWire, containerToWire } from "./translate/container-status.ts";
import { imageToWire } from "./translate/image.ts";
import { sandboxStatusToWire, sandboxToWire } from "./translate/sandbox-status.ts";

// Answers share the bytes of what is in them.

export const sandboxItems = new EncodedItems<Sandbox, typeof PodSandboxSchema>(PodSandboxSchema, sandboxToWire);
export const containerItems = new EncodedItems<Container, typeof ContainerSchema>(ContainerSchema, containerToWire);
export const imageItems = new EncodedItems<Image, typeof ImageSchema>(ImageSchema, imageToWire);
export const sandboxStatuses = new EncodedItems<Sandbox, typeof PodSandboxStatusSchema>(
  PodSandboxStatusSchema,
  sandboxStatusToWire,
);
export const containerStatuses = new EncodedItems<Container, typeof ContainerStatusSchema>(
  ContainerStatusSchema,
  containerStatusToWire,
);
