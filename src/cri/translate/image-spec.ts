import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ImageSpec } from "#domain/container/request.ts";
import type { ImageSpec as WireImageSpec, ImageSpecSchema } from "../gen/runtime/v1/api_pb.ts";
import { nonEmpty, required } from "./required.ts";

/** ImageSpec of a request, which has to name an image. */
export function imageSpecFromWire(spec: WireImageSpec | undefined, field: string): ImageSpec {
  const { image, annotations, userSpecifiedImage, runtimeHandler, imageRef } = required(spec, field);
  return { image: nonEmpty(image, `${field}.image`), annotations, userSpecifiedImage, runtimeHandler, imageRef };
}

/** ImageSpec of a status. */
export function imageSpecToWire(spec: ImageSpec): MessageInitShape<typeof ImageSpecSchema> {
  const { image, annotations, userSpecifiedImage, runtimeHandler, imageRef } = spec;
  return { image, annotations, userSpecifiedImage, runtimeHandler, imageRef };
}
