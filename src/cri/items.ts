import type { Container } from "#domain/container/container.ts";
import type { Image } from "#domain/image/image.ts";
import type { Sandbox } from "#domain/sandbox/sandbox.ts";
import { EncodedItems } from "./encoded-list.ts";
import { ContainerSchema, ImageSchema, PodSandboxSchema } from "./gen/runtime/v1/api_pb.ts";
import { containerToWire } from "./translate/container-status.ts";
import { imageToWire } from "./translate/image.ts";
import { sandboxToWire } from "./translate/sandbox-status.ts";

// Items of List* and Stream* RPCs share their bytes.

export const sandboxItems = new EncodedItems<Sandbox, typeof PodSandboxSchema>(PodSandboxSchema, sandboxToWire);
export const containerItems = new EncodedItems<Container, typeof ContainerSchema>(ContainerSchema, containerToWire);
export const imageItems = new EncodedItems<Image, typeof ImageSchema>(ImageSchema, imageToWire);
