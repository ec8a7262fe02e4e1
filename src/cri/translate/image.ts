import type { MessageInitShape } from "@bufbuild/protobuf";
import { imageUser, type Image, type PullRequest } from "#domain/image/image.ts";
import type { AuthConfig, ImageFilter, ImageSchema, PullImageRequest } from "../gen/runtime/v1/api_pb.ts";
import { imageSpecFromWire } from "./image-spec.ts";

export function imageToWire(image: Image): MessageInitShape<typeof ImageSchema> {
  const { uid, username } = imageUser(image.config);
  return {
    id: image.id,
    repoTags: [...image.repoTags],
    repoDigests: [...image.repoDigests],
    size: BigInt(image.sizeBytes),
    uid: uid === undefined ? undefined : { value: BigInt(uid) },
    username,
    spec: { annotations: image.annotations },
    pinned: image.pinned,
  };
}

/** What ImageStatus tells when asked to be verbose: `info` is JSON with the labels and the OCI configuration. */
export function imageInfo(image: Image): Record<string, string> {
  return { info: JSON.stringify({ labels: image.config?.config?.Labels ?? {}, imageSpec: image.config }) };
}

/** The image that a list is about; empty for all. */
export function imageFilterFromWire(filter: ImageFilter | undefined): string {
  return filter?.image?.image ?? "";
}

/** @throws DomainError invalid-argument when no image is named */
export function pullRequestFromWire({ image, auth, sandboxConfig }: PullImageRequest): PullRequest {
  return {
    image: imageSpecFromWire(image, "image").image,
    auth: auth === undefined ? {} : credentials(auth),
    namespace: sandboxConfig?.metadata?.namespace ?? "",
  };
}

function credentials(config: AuthConfig): PullRequest["auth"] {
  const { username, password, auth, identityToken, registryToken, serverAddress } = config;
  return {
    ...(username === "" ? {} : { username }),
    ...(password === "" ? {} : { password }),
    ...(auth === "" ? {} : { auth }),
    ...(identityToken === "" ? {} : { identityToken }),
    ...(registryToken === "" ? {} : { registryToken }),
    ...(serverAddress === "" ? {} : { serverAddress }),
  };
}
